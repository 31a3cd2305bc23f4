modprobe kvm && [ $(cat /sys/kernel/livepatch/case_module_kvm_fixup/kvm/patched) = 1 ] && rmmod kvm
