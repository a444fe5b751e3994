package image

const (
	machine = 62 // EM_X86_64
	offset  = 0x1000
)
