package fault

import (
	"encoding/binary"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ring is the memory into which the kernel writes the events of one CPU: a page about it, and 2^n
// pages of records (perf_event_open(2), "MMAP layout").
type ring struct {
	fd   int // of the event that it was made with
	mem  []byte
	head *unix.PerfEventMmapPage
	data []byte
	buf  []byte // a record that wraps around the end
	last struct {
		Event
		id uint64 // of the perf event
	}
}

// again reports whether a fault was told by the record before, through another event of the thread.
//
// Such records follow one another. They have different identities and times, or those of the first
// one: newer kernels fill in a sample once for all events of a fault (perf_prepare_sample in
// kernel/events/core.c). Linux 6.1 does the one, 6.12 and 6.18 the other.
func (r *ring) again(e Event, id uint64) bool {
	l := &r.last
	same := e.TID == l.TID && e.Addr == l.Addr && e.IP == l.IP && e.Kernel == l.Kernel && e.Major == l.Major
	if same && (e.Time == l.Time || id != l.id) {
		return true
	}
	l.Event, l.id = e, id
	return false
}

// newRing maps the ring of an event, of that many bytes of records: a power of two of pages.
func newRing(fd, size int) (*ring, error) {
	page := unix.Getpagesize()
	mem, err := unix.Mmap(fd, 0, page+size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return &ring{fd: fd, mem: mem, head: (*unix.PerfEventMmapPage)(unsafe.Pointer(&mem[0])), data: mem[page:]}, nil
}

func (r *ring) close() error { return unix.Munmap(r.mem) }

// records visits the records that the kernel has written since the last time, and frees their room.
// The bytes of a record may be used until visit returns.
func (r *ring) records(visit func(kind uint32, misc uint16, body []byte)) {
	head, tail := atomic.LoadUint64(&r.head.Data_head), r.head.Data_tail
	size := uint64(len(r.data))
	for tail < head {
		at := tail % size // a header never wraps: it has 8 bytes, and every record a multiple of 8
		kind := binary.NativeEndian.Uint32(r.data[at:])
		misc := binary.NativeEndian.Uint16(r.data[at+4:])
		n := uint64(binary.NativeEndian.Uint16(r.data[at+6:]))
		if n < 8 || n%8 != 0 || n > min(head-tail, size) {
			tail = head // no record: what follows it cannot be found
			break
		}
		record := r.data[at:min(at+n, size)]
		if at+n > size {
			r.buf = append(append(r.buf[:0], record...), r.data[:at+n-size]...)
			record = r.buf
		}
		visit(kind, misc, record[8:])
		tail += n
	}
	atomic.StoreUint64(&r.head.Data_tail, tail)
}

// The fields of a sample, in the order in which they stand in it, and of the trailer of every other
// record (struct sample_id of perf_event_open(2)).
const (
	sampleType  = unix.PERF_SAMPLE_IDENTIFIER | unix.PERF_SAMPLE_IP | unix.PERF_SAMPLE_TID | unix.PERF_SAMPLE_TIME | unix.PERF_SAMPLE_ADDR
	sampleSize  = 5 * 8
	trailerSize = 3 * 8 // TID, TIME, IDENTIFIER
)

// decode makes an event of a record, with the identity of the perf event that wrote it.
func decode(kind uint32, misc uint16, body []byte) (e Event, id uint64, ok bool) {
	u32 := func(at int) int { return int(int32(binary.NativeEndian.Uint32(body[at:]))) }
	u64 := func(at int) uint64 { return binary.NativeEndian.Uint64(body[at:]) }
	end := len(body)
	switch {
	case kind == unix.PERF_RECORD_SAMPLE && end >= sampleSize:
		return Event{Kind: Fault, Kernel: misc&unix.PERF_RECORD_MISC_CPUMODE_MASK == unix.PERF_RECORD_MISC_KERNEL,
			IP: u64(8), PID: u32(16), TID: u32(20), Time: time.Duration(u64(24)), Addr: u64(32)}, u64(0), true
	case kind == unix.PERF_RECORD_COMM && misc&unix.PERF_RECORD_MISC_COMM_EXEC != 0 && end >= 8+trailerSize:
		return Event{Kind: Exec, PID: u32(0), TID: u32(4), Time: time.Duration(u64(end - 16))}, u64(end - 8), true
	case kind == unix.PERF_RECORD_EXIT && end >= 24+trailerSize:
		return Event{Kind: Exit, PID: u32(0), TID: u32(8), Time: time.Duration(u64(16))}, u64(end - 8), true
	}
	return e, 0, false
}
