package image

const (
	machine = 183 // EM_AARCH64
	// 64 KiB is the largest page size of an arm64 kernel; offset and address must agree modulo the
	// page size.
	offset = 0x10000
)
