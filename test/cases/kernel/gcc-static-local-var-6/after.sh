grep -q "^1 " /proc/self/personality; grep -q "^2 " /proc/self/personality
