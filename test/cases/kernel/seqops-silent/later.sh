touch /go-silent
while ! grep -q '^end' /read-silent; do sleep 0.1; done
grep -q '^name' /read-silent && ! grep -q NEW /read-silent && ! grep -q NEW /proc/crypto
