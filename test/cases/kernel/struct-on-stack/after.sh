ls /proc > /dev/null && [ "$(ls / | wc -l)" -gt 3 ]
