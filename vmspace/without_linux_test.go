package vmspace

import (
	"fmt"
	"testing"
)

func TestWithout(t *testing.T) {
	for _, c := range []struct{ ranges, others, want []Range }{
		{[]Range{{1, 9}}, nil, []Range{{1, 9}}},
		{[]Range{{1, 9}}, []Range{{3, 5}}, []Range{{1, 3}, {5, 9}}},
		{[]Range{{1, 9}}, []Range{{0, 3}, {5, 20}}, []Range{{3, 5}}},
		{[]Range{{1, 9}, {11, 12}}, []Range{{0, 20}}, nil},
		{[]Range{{1, 4}, {6, 9}}, []Range{{3, 7}}, []Range{{1, 3}, {7, 9}}},
		{[]Range{{1, 4}}, []Range{{4, 7}}, []Range{{1, 4}}},
	} {
		if got := without(c.ranges, c.others); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%v without %v is %v, want %v", c.ranges, c.others, got, c.want)
		}
	}
}
