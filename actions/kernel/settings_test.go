package kernel

import (
	"math"
	"testing"
)

const (
	limitsText = `Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max data size             65536                unlimited            bytes     
Max stack size            8388608              unlimited            bytes     
Max processes             96365                96365                processes 
Max locked memory         0                    8388608              bytes     
Max address space         unlimited            unlimited            bytes     
`
	statusText = "Name:\tVmLck: 7 kB\nUid:\t65534\t65534\t65534\t65534\nVmSize:\t     168 kB\nVmData:\t   x kB\nThreads:\t3\nCapEff:\t0000000000004000\n"
	statText   = "4896 (a ) b (c) t 1 4896 4896 0 -1 4194560 5 0 0 0 0 0 0 0 20 0 1 0 99 172032 7 18446744073709551615 4194304 4198400 140737488351232 " +
		"0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 4194304 4194500 4198400 140737488351200 0 0 0 0\n"
)

func TestParseLimits(t *testing.T) {
	for name, want := range map[string]uint64{LimitData: 65536, LimitStack: 8 << 20, LimitNproc: 96365, LimitMemlock: 0,
		LimitAS: math.MaxUint64, "Max nothing": math.MaxUint64, "Max data": math.MaxUint64} {
		if got, _ := parseLimit(limitsText, name); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	if _, hard := parseLimit(limitsText, LimitMemlock); hard != 8<<20 {
		t.Errorf("the hard limit of locked memory is %d", hard)
	}
	for _, text := range []string{"", "Max data size", "Max data size \n", "Max data size -1 -1 bytes"} {
		if got, hard := parseLimit(text, LimitData); got != math.MaxUint64 || hard != math.MaxUint64 {
			t.Errorf("%q: %d", text, got)
		}
	}
}

func TestParseFields(t *testing.T) {
	for name, want := range map[string]uint64{"VmSize": 168 << 10, "Uid": 65534, "Threads": 3} {
		if got, known := ParseField(statusText, name); got != want || !known {
			t.Errorf("%s: %d, %v, want %d", name, got, known, want)
		}
	}
	for _, name := range []string{"VmLck", "VmData", "Name", "Vm", ""} {
		if got, known := ParseField(statusText, name); known {
			t.Errorf("%s: %d, which is not there", name, got)
		}
	}
	if got := parseCapabilities(statusText); got != 1<<CapIPCLock {
		t.Errorf("capabilities %x", got)
	}
	if got := parseCapabilities("CapEff:\tzz\n") | parseCapabilities(""); got != 0 {
		t.Errorf("capabilities %x", got)
	}
}

func TestParseStat(t *testing.T) {
	for n, want := range map[int]uint64{4: 1, StatStartData: 4194304, StatEndData: 4194500, StatStartBrk: 4198400} {
		if got, known := parseStat(statText, n); got != want || !known {
			t.Errorf("field %d: %d, %v, want %d", n, got, known, want)
		}
	}
	for _, n := range []int{-1, 0, 2, 3, 99} {
		if got, known := parseStat(statText, n); known {
			t.Errorf("field %d: %d", n, got)
		}
	}
	if _, known := parseStat("", StatStartBrk); known {
		t.Error("a field of nothing")
	}
}
