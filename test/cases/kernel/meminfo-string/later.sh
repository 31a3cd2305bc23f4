grep -q VmallocChunk /proc/meminfo
