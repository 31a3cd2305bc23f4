grep -q VMALLOCCHUNK /proc/meminfo
