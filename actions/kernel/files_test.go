package kernel

import "testing"

func TestParseAccessMode(t *testing.T) {
	for text, want := range map[string][2]bool{
		"pos:\t0\nflags:\t0100000\nmnt_id:\t1\n": {true, false},
		"pos:\t0\nflags:\t0100001\n":             {false, true},
		"pos:\t0\nflags:\t02100002\n":            {true, true},
		"pos:\t0\nflags:\t9\n":                   {false, false},
		"":                                       {false, false},
	} {
		if r, w := parseAccessMode(text); [2]bool{r, w} != want {
			t.Errorf("%q: read %v, write %v", text, r, w)
		}
	}
}

func TestParseInMemory(t *testing.T) {
	const mounts = "22 28 0:21 / /proc rw,nosuid - proc proc rw\n28 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n" +
		"31 24 0:26 / /dev/shm rw shared:4 - tmpfs tmpfs rw\n25 28 0:6 / /dev rw - devtmpfs udev rw\nnonsense\n"
	for device, want := range map[string][2]bool{"8:1": {false, true}, "0:26": {true, true}, "0:6": {true, true}, "0:99": {}} {
		if yes, known := parseInMemory(mounts, device); yes != want[0] || known != want[1] {
			t.Errorf("%s: %v, %v", device, yes, known)
		}
	}
}
