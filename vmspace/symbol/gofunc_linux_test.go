package symbol

import (
	"reflect"
	"runtime"
)

// runtimePC is the entry of a function.
func runtimePC(f any) uintptr { return reflect.ValueOf(f).Pointer() }

// goFunction reports whether an address is in the code of f: between functions the runtime names
// the one before.
func goFunction(f *runtime.Func, addr uint64) bool {
	_, line := f.FileLine(uintptr(addr))
	return line > 0
}
