package observe

import (
	"unsafe"

	"cowscope/vmspace"

	"golang.org/x/sys/unix"
)

// Rules of this file: PROCMAP_QUERY and nothing else (since Linux 6.11; fs/proc/task_mmu.c,
// do_procmap_query). It finds one mapping by address without printing all those before it. It does
// not escape newlines in names.

const (
	procmapQuery  = 0xc0686611 // _IOWR('f', 17, struct procmap_query)
	queryShared   = 0x08
	queryOrNext   = 0x10
	queryPermMask = 0x07 // readable, writable, executable: the same bits as Read, Write and Exec
)

// queryArg is struct procmap_query.
type queryArg struct {
	size, flags, addr                             uint64
	start, end, vmaFlags, pageSize, offset, inode uint64
	major, minor, nameSize, buildIDSize           uint32
	nameAddr, buildIDAddr                         uint64
}

// querier queries the mappings of one process after the other and reuses the buffer for names. It
// must lie on the heap, where nothing moves: the kernel receives the buffer's address as a number.
type querier struct {
	arg  queryArg
	name [unix.PathMax]byte
	last string // the name last returned
}

// find returns the mapping that contains addr, or with orNext the first above it. ok is false if
// there is none.
func (q *querier) find(maps int, addr uint64, orNext bool) (m vmspace.Mapping, ok bool, err error) {
	q.arg = queryArg{addr: addr, nameSize: uint32(len(q.name)), nameAddr: uint64(uintptr(unsafe.Pointer(&q.name[0])))}
	if orNext {
		q.arg.flags = queryOrNext
	}
	if ok, err = q.ask(maps, &m); ok && q.arg.nameSize > 1 { // the size includes the NUL
		m.Path = q.intern(q.name[:q.arg.nameSize-1])
	}
	return m, ok, err
}

// next returns the first mapping that ends after addr, without its path: looking up names is most
// of the cost.
func (q *querier) next(maps int, addr uint64, m *vmspace.Mapping) (ok bool, err error) {
	q.arg = queryArg{addr: addr, flags: queryOrNext}
	return q.ask(maps, m)
}

// ask makes the call.
func (q *querier) ask(maps int, m *vmspace.Mapping) (ok bool, err error) {
	q.arg.size = uint64(unsafe.Sizeof(q.arg))
	if _, err = ioctl(maps, procmapQuery, unsafe.Pointer(&q.arg)); err == unix.ENOENT {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	a := &q.arg
	*m = vmspace.Mapping{Range: vmspace.Range{Start: a.start, End: a.end}, Offset: a.offset, Major: a.major, Minor: a.minor, Inode: a.inode}
	m.Perms = vmspace.Perms(a.vmaFlags & queryPermMask)
	if a.vmaFlags&queryShared != 0 {
		m.Perms |= vmspace.SharedMap
	}
	return true, nil
}

// intern returns b as a string, and reuses the last string if they are equal.
func (q *querier) intern(b []byte) string {
	if string(b) != q.last {
		q.last = string(b)
	}
	return q.last
}

// probe reports whether this kernel has PROCMAP_QUERY.
func (q *querier) probe(maps int) bool {
	_, _, err := q.find(maps, 0, true)
	return err == nil
}
