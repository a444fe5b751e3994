package amount

import (
	"math"
	"testing"
)

func TestSize(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 bytes", 1: "1 byte", 100: "100 bytes", 4096: "4 KiB", 5000: "5000 bytes", 64 << 10: "64 KiB",
		1<<20 + 4096: "1028 KiB", 1 << 20: "1 MiB", 200 << 40: "200 TiB", 24684084 << 10: "23.5 GiB", 1<<40 + 1: "1024.0 GiB",
		math.MaxUint64: "16.0 EiB", 12345678: "11.8 MiB"} {
		if got := Size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestOf(t *testing.T) {
	for want, got := range map[string]string{"0 pages": Of(0, "page"), "1 page": Of(1, "page"), "2 classes": Of(2, "class"), "1 byte": Bytes(1), "4096 bytes": Bytes(4096)} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
