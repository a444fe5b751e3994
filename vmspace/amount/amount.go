// Package amount formats numbers of things for people.
package amount

import (
	"fmt"
	"strconv"
	"strings"
)

// Size formats a number of bytes: 64 KiB, 1028 KiB, 23.5 GiB, 100 bytes. Numbers of up to four
// digits are exact.
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

// Bytes formats a number of bytes exactly: 1 byte, 4096 bytes.
func Bytes(n uint64) string {
	if n == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}

// Of formats a number of things with their word: 1 page, 3 pages, 2 classes.
func Of(n uint64, word string) string {
	switch {
	case n == 1:
		return "1 " + word
	case strings.HasSuffix(word, "s"):
		word += "e"
	}
	return strconv.FormatUint(n, 10) + " " + word + "s"
}
