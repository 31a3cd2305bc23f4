uname -n | grep -q "^S"
