package fault

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// record is a record as the kernel writes it.
func record(kind uint32, misc uint16, words ...uint64) []byte {
	b := binary.NativeEndian.AppendUint32(nil, kind)
	b = binary.NativeEndian.AppendUint16(b, misc)
	b = binary.NativeEndian.AppendUint16(b, uint16(8+8*len(words)))
	for _, w := range words {
		b = binary.NativeEndian.AppendUint64(b, w)
	}
	return b
}

// pair is two numbers of 32 bits that stand side by side.
func pair(a, b uint32) uint64 {
	return binary.NativeEndian.Uint64(binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, a), b))
}

// written is a ring of one page into which that many bytes were written since it was made, the last
// of them these, and read was all before.
func written(total uint64, last []byte) *ring {
	r := &ring{head: &unix.PerfEventMmapPage{Data_head: total, Data_tail: total - uint64(len(last))}, data: make([]byte, 4096)}
	for i, b := range last {
		r.data[(r.head.Data_tail+uint64(i))%4096] = b
	}
	return r
}

// Records are visited in order, also one that wraps around the end of the ring, and their room is
// freed.
func TestRecords(t *testing.T) {
	var all []byte
	for i := range uint64(5) {
		all = append(all, record(unix.PERF_RECORD_SAMPLE, unix.PERF_RECORD_MISC_USER, 7, 0x1000+i, pair(10, 11), 1000+i, 0x2000+i)...)
	}
	for total := uint64(len(all)); total < 3*4096; total += 8 {
		r := written(total, all)
		var got []uint64
		r.records(func(kind uint32, misc uint16, body []byte) {
			e, id, ok := decode(kind, misc, body)
			if !ok || id != 7 || e.PID != 10 || e.TID != 11 || e.Kernel || e.IP-0x1000 != e.Addr-0x2000 || e.Time != 1000+time.Duration(e.Addr-0x2000) {
				t.Fatalf("%d: %+v %d %v", total, e, id, ok)
			}
			got = append(got, e.Addr-0x2000)
		})
		if !slices.Equal(got, []uint64{0, 1, 2, 3, 4}) || r.head.Data_tail != total {
			t.Fatalf("%d: %v, tail %d", total, got, r.head.Data_tail)
		}
	}
}

// What cannot be a record ends the reading, and all that was there is let go of.
func TestRecordsCut(t *testing.T) {
	good := record(unix.PERF_RECORD_SAMPLE, 0, 1, 2, 3, 4, 5)
	for name, bad := range map[string][]byte{
		"no length":       {9, 0, 0, 0, 0, 0, 0, 0},
		"an odd length":   binary.NativeEndian.AppendUint16([]byte{9, 0, 0, 0, 0, 0}, 12),
		"past the end":    binary.NativeEndian.AppendUint16([]byte{9, 0, 0, 0, 0, 0}, 4000),
		"past everything": binary.NativeEndian.AppendUint16([]byte{9, 0, 0, 0, 0, 0}, 65528),
	} {
		r := written(8000, slices.Concat(good, bad, good))
		n := 0
		r.records(func(uint32, uint16, []byte) { n++ })
		if n != 1 || r.head.Data_tail != 8000 {
			t.Errorf("%s: %d records, tail %d", name, n, r.head.Data_tail)
		}
	}
}

func TestDecode(t *testing.T) {
	name := binary.NativeEndian.Uint64([]byte("sleep\x00\x00\x00"))
	for _, c := range []struct {
		record []byte
		want   Event
		ok     bool
	}{
		{record(unix.PERF_RECORD_SAMPLE, unix.PERF_RECORD_MISC_KERNEL, 7, 8, pair(1, 2), 3, 4), Event{Kind: Fault, Kernel: true, PID: 1, TID: 2, Time: 3, IP: 8, Addr: 4}, true},
		{record(unix.PERF_RECORD_COMM, unix.PERF_RECORD_MISC_COMM_EXEC, pair(1, 2), name, pair(1, 2), 3, 7), Event{Kind: Exec, PID: 1, TID: 2, Time: 3}, true},
		{record(unix.PERF_RECORD_COMM, unix.PERF_RECORD_MISC_COMM_EXEC, pair(1, 2), name, name, pair(1, 2), 3, 7), Event{Kind: Exec, PID: 1, TID: 2, Time: 3}, true},
		{record(unix.PERF_RECORD_COMM, 0, pair(1, 2), name, pair(1, 2), 3, 7), Event{}, false}, // a thread took another name
		{record(unix.PERF_RECORD_EXIT, 0, pair(1, 9), pair(2, 9), 3, pair(1, 2), 4, 7), Event{Kind: Exit, PID: 1, TID: 2, Time: 3}, true},
		{record(unix.PERF_RECORD_FORK, 0, pair(1, 9), pair(2, 9), 3, pair(1, 2), 4, 7), Event{}, false},
		{record(unix.PERF_RECORD_SAMPLE, 0, 7, 8, 9, 3), Event{}, false}, // too short
		{record(unix.PERF_RECORD_EXIT, 0, 7, 8, 9, 3, 4), Event{}, false},
		{record(unix.PERF_RECORD_COMM, unix.PERF_RECORD_MISC_COMM_EXEC), Event{}, false},
	} {
		kind, misc := binary.NativeEndian.Uint32(c.record), binary.NativeEndian.Uint16(c.record[4:])
		if e, id, ok := decode(kind, misc, c.record[8:]); e != c.want || ok != c.ok || ok && id != 7 {
			t.Errorf("%x: %+v %d %v, want %+v", c.record, e, id, ok, c.want)
		}
	}
}

// One fault that two events of a thread tell of is one; two faults are two.
func TestAgain(t *testing.T) {
	type told struct {
		e     Event
		id    uint64
		again bool
	}
	fault := func(tid int, at time.Duration, addr uint64) Event {
		return Event{TID: tid, Time: at, IP: 7, Addr: addr}
	}
	for name, records := range map[string][]told{
		"other identities, as on Linux 6.1":     {{fault(1, 1000, 5), 1, false}, {fault(1, 1300, 5), 2, true}, {fault(1, 100_500, 5), 3, true}, {fault(1, 2000, 6), 1, false}},
		"the same identity and time":            {{fault(1, 1000, 5), 1, false}, {fault(1, 1000, 5), 1, true}, {fault(1, 2000, 6), 2, false}, {fault(1, 2000, 6), 2, true}},
		"the page was dropped, and comes again": {{fault(1, 1000, 5), 1, false}, {fault(1, 1100, 5), 2, true}, {fault(1, 1800, 5), 1, false}, {fault(1, 1900, 5), 2, true}},
		"another thread":                        {{fault(1, 1000, 5), 1, false}, {fault(2, 1000, 5), 1, false}},
	} {
		r := &ring{}
		for i, x := range records {
			if got := r.again(x.e, x.id); got != x.again {
				t.Errorf("%s, record %d: %v", name, i, got)
			}
		}
	}
}

// Whatever is in a ring is read without a panic, and read once.
func FuzzRecords(f *testing.F) {
	f.Add(uint64(4100), record(unix.PERF_RECORD_SAMPLE, 1, 1, 2, 3, 4, 5))
	f.Add(uint64(8), []byte{1, 0, 0, 0, 0, 0, 8, 0})
	f.Fuzz(func(t *testing.T, total uint64, last []byte) {
		last = last[:min(len(last), 4096)&^7]
		total = max(total&^7%(1<<40), uint64(len(last)))
		r := written(total, last)
		bytes := 0
		r.records(func(kind uint32, misc uint16, body []byte) {
			decode(kind, misc, body)
			bytes += 8 + len(body)
		})
		if bytes > len(last) || r.head.Data_tail != total {
			t.Errorf("%d of %d bytes, tail %d of %d", bytes, len(last), r.head.Data_tail, total)
		}
	})
}
