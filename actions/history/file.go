package history

// File is a file that a session keeps, and what it is known by in /proc/PID/maps.
type File struct {
	Name         string
	Removed      bool   // it has no name any more
	Major, Minor uint32 // of the device
	Inode        uint64
	Size         uint64 // in bytes
}
