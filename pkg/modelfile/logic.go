package modelfile

import "tidemark/scoring"

// The connectives stop at the first unknown, as a failing run does. Each
// returns nil where a part of it could not be compiled.

func negate(a condition) condition {
	if a == nil {
		return nil
	}
	return func(s subject) scoring.Truth {
		switch a(s) {
		case scoring.True:
			return scoring.False
		case scoring.False:
			return scoring.True
		}
		return scoring.Unknown
	}
}

func both(a, b condition) condition {
	if a == nil || b == nil {
		return nil
	}
	return func(s subject) scoring.Truth {
		if t := a(s); t != scoring.True {
			return t
		}
		return b(s)
	}
}

func either(a, b condition) condition {
	if a == nil || b == nil {
		return nil
	}
	return func(s subject) scoring.Truth {
		if t := a(s); t != scoring.False {
			return t
		}
		return b(s)
	}
}

func choose(when, then, otherwise condition) condition {
	if when == nil || then == nil || otherwise == nil {
		return nil
	}
	return func(s subject) scoring.Truth {
		switch when(s) {
		case scoring.True:
			return then(s)
		case scoring.False:
			return otherwise(s)
		}
		return scoring.Unknown
	}
}

func asCondition(v value) condition {
	if v == nil {
		return nil
	}
	return func(s subject) scoring.Truth {
		if got, ok := v(s); ok {
			if holds, ok := got.(bool); ok {
				return truth(holds)
			}
		}
		return scoring.Unknown
	}
}

func asValue(c condition) value {
	if c == nil {
		return nil
	}
	return func(s subject) (any, bool) {
		switch c(s) {
		case scoring.True:
			return true, true
		case scoring.False:
			return false, true
		}
		return nil, false
	}
}
