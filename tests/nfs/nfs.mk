# A real NFS server and client in User Mode Linux, for tests/e2e/test_nfs.py. Included by the main
# Makefile.

NFS_TOOLS := build/nfs/stamp

$(NFS_TOOLS): tests/nfs/packages tests/nfs/unpack
	$(SAY) UNPACK $@
	$(Q)sh tests/nfs/unpack $(CURDIR)/build/nfs
