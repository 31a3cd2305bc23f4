# Work that was put off until after the disable runs the livepatch's code.
until dmesg | grep -q "lp late work"; do sleep 0.2; done
