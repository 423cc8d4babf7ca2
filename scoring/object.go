package scoring

// Object is a JSON object that expressions read by name: what came with an event. Its
// values are what encoding/json makes of JSON: string, float64, bool, nil, []any,
// map[string]any. None of them may be changed; any number of goroutines may read. An
// Object lives as long as the event that it came with, and so do its values.
type Object interface {
	// Get is the value of a member, nil where there is none or it is null.
	Get(name string) any
	// Text is the value of a member that is a string, without the object that a string
	// costs in an any.
	Text(name string) (value string, ok bool)
	// Map is all of it; nil only of a nil Map.
	Map() map[string]any
}

// Map is an Object that is a map already.
type Map map[string]any

// Get implements Object.
func (m Map) Get(name string) any { return m[name] }

// Text implements Object.
func (m Map) Text(name string) (string, bool) {
	text, ok := m[name].(string)
	return text, ok
}

// Map implements Object.
func (m Map) Map() map[string]any { return m }
