[ "$(sh -c "echo \$PPID")" -gt 100000 ]
