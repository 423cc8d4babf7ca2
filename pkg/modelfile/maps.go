package modelfile

import (
	"fmt"
	"reflect"
	"sort"
)

// guardKeys and its like give keys in their order: that of a Go map is random,
// and a score must not be.

func guardKeys(r *run, args []any) (any, error) {
	_, keys, err := sortedKeys(r, args)
	if err != nil {
		return nil, err
	}
	out := make([]any, len(keys))
	for i, key := range keys {
		out[i] = key.Interface()
	}
	return out, nil
}

func guardValues(r *run, args []any) (any, error) {
	m, keys, err := sortedKeys(r, args)
	if err != nil {
		return nil, err
	}
	out := make([]any, len(keys))
	for i, key := range keys {
		if out[i] = m.MapIndex(key).Interface(); out[i] == nil {
			return nil, errMissing
		}
	}
	return out, nil
}

func guardPairs(r *run, args []any) (any, error) {
	m, keys, err := sortedKeys(r, args)
	if err != nil {
		return nil, err
	}
	out := make([][2]any, len(keys))
	for i, key := range keys {
		value := m.MapIndex(key).Interface()
		if value == nil {
			return nil, errMissing
		}
		out[i] = [2]any{key.Interface(), value}
	}
	return out, nil
}

func sortedKeys(r *run, args []any) (m reflect.Value, keys []reflect.Value, err error) {
	m = reflect.ValueOf(args[0])
	if m.Kind() != reflect.Map {
		return m, nil, fmt.Errorf("%s is not a map", m.Kind())
	}
	if err := r.pay(m.Len()); err != nil {
		return m, nil, err
	}
	keys = m.MapKeys()
	sort.Slice(keys, func(i, j int) bool {
		return fmt.Sprint(keys[i].Interface()) < fmt.Sprint(keys[j].Interface())
	})
	return m, keys, nil
}
