package mapping

import "reflect"

// otherJSON is toJSON for what builtins make: []int, []string and the like. What is no
// value of JSON becomes null.
func otherJSON(v any) any {
	r := reflect.ValueOf(v)
	switch {
	case r.CanInt():
		return float64(r.Int())
	case r.CanUint():
		return float64(r.Uint())
	case r.Kind() == reflect.Slice || r.Kind() == reflect.Array:
		out := make([]any, r.Len())
		for i := range out {
			out[i] = toJSON(r.Index(i).Interface())
		}
		return out
	case r.Kind() == reflect.Map:
		out := map[string]any{}
		for it := r.MapRange(); it.Next(); {
			key, ok := it.Key().Interface().(string)
			if !ok {
				return nil
			}
			out[key] = toJSON(it.Value().Interface())
		}
		return out
	}
	return nil
}
