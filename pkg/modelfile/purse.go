package modelfile

import "reflect"

// A run has a purse from which each turn of a loop and each byte or element of
// what it builds is paid, so that no expression, however odd, can hang or
// exhaust the process. Models use a few hundred.
const (
	purse       = 1 << 19
	rangeBudget = 10_000 // the longest list that 1..n makes outside of `in`
)

// run is one evaluation; the environment of a program.
type run struct {
	subject
	left int
}

func (r *run) pay(n int) error {
	if r.left -= n; r.left < 0 {
		return errTooMuch
	}
	return nil
}

// size counts the bytes of texts and the elements of collections, nested ones
// too. It stops once past the limit: shared values can be nested so that they
// are exponentially large to walk.
func size(v any, limit int) int {
	switch v := v.(type) {
	case string:
		return len(v)
	case []any:
		n := len(v)
		for i := 0; i < len(v) && n <= limit; i++ {
			n += size(v[i], limit-n)
		}
		return n
	case map[string]any:
		n := len(v)
		for key, item := range v {
			if n > limit {
				break
			}
			n += len(key) + size(item, limit-n)
		}
		return n
	}
	return sizeOther(v, limit)
}

// sizeOther is for what builtins make: []int, []string, [][2]any, map[any][]any.
func sizeOther(v any, limit int) int {
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Slice, reflect.Array:
		n := r.Len()
		for i := 0; i < r.Len() && n <= limit; i++ {
			n += size(r.Index(i).Interface(), limit-n)
		}
		return n
	case reflect.Map:
		n := r.Len()
		for it := r.MapRange(); it.Next() && n <= limit; {
			n += size(it.Value().Interface(), limit-n)
		}
		return n
	}
	return 1
}

func sum(args []any, limit int) int {
	n := 0
	for _, v := range args {
		n += size(v, limit)
		if n > limit {
			break
		}
	}
	return n
}

// product bounds what replacing or joining can make.
func product(args []any, limit int) int {
	n := 1
	for _, v := range args {
		n *= 1 + size(v, limit)
		if n > limit {
			break
		}
	}
	return n
}

// square bounds what comparing all with all costs.
func square(args []any, limit int) int {
	n := sum(args, limit)
	return n * n
}
