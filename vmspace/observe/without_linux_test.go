package observe

import (
	"fmt"
	"testing"

	"cowscope/vmspace"
)

func TestWithout(t *testing.T) {
	for _, c := range []struct{ ranges, others, want []vmspace.Range }{
		{[]vmspace.Range{{Start: 1, End: 9}}, nil, []vmspace.Range{{Start: 1, End: 9}}},
		{[]vmspace.Range{{Start: 1, End: 9}}, []vmspace.Range{{Start: 3, End: 5}}, []vmspace.Range{{Start: 1, End: 3}, {Start: 5, End: 9}}},
		{[]vmspace.Range{{Start: 1, End: 9}}, []vmspace.Range{{Start: 0, End: 3}, {Start: 5, End: 20}}, []vmspace.Range{{Start: 3, End: 5}}},
		{[]vmspace.Range{{Start: 1, End: 9}, {Start: 11, End: 12}}, []vmspace.Range{{Start: 0, End: 20}}, nil},
		{[]vmspace.Range{{Start: 1, End: 4}, {Start: 6, End: 9}}, []vmspace.Range{{Start: 3, End: 7}}, []vmspace.Range{{Start: 1, End: 3}, {Start: 7, End: 9}}},
		{[]vmspace.Range{{Start: 1, End: 4}}, []vmspace.Range{{Start: 4, End: 7}}, []vmspace.Range{{Start: 1, End: 4}}},
	} {
		if got := without(c.ranges, c.others); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%v without %v is %v, want %v", c.ranges, c.others, got, c.want)
		}
	}
}
