touch /go-crypto
while ! grep -q '^end' /read-late; do sleep 0.1; done
grep -q '^name' /read-late && ! grep -q NEW /read-late && ! grep -q NEW /proc/crypto
