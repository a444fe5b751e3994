// Package amount writes numbers of things as people do.
package amount

import (
	"fmt"
	"strconv"
	"strings"
)

// sizeOf writes a number of bytes as people do: 64 KiB, 1028 KiB, 23.5 GiB, 100 bytes. Up to four
// digits it is exact.
func Size(n uint64) string {
	units := []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	for i := len(units) - 1; i >= 0; i-- {
		unit := uint64(1) << (10 * (i + 1))
		switch {
		case n >= unit && n%unit == 0 && n/unit < 10000:
			return fmt.Sprintf("%d %s", n/unit, units[i])
		case n/unit >= 10:
			return fmt.Sprintf("%.1f %s", float64(n)/float64(unit), units[i])
		}
	}
	return Bytes(n)
}

// bytesCount writes a number of bytes exactly: 1 byte, 4096 bytes.
func Bytes(n uint64) string {
	if n == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}

// plural writes a number of things with their word: 1 page, 3 pages, 2 classes.
func Of(n uint64, word string) string {
	switch {
	case n == 1:
		return "1 " + word
	case strings.HasSuffix(word, "s"):
		word += "e"
	}
	return strconv.FormatUint(n, 10) + " " + word + "s"
}
