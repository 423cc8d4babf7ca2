package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"tidemark/pkg/config/yamltree"
)

// prefix begins the name of every variable of ours.
const prefix = "TIDEMARK_"

// Load reads the file at path, if there is one, over the defaults, and environ
// (as os.Environ gives it) over both. The error lists every fault of the file,
// or else every fault of the environment. Nothing is validated yet.
func Load(path string, environ []string) (Config, error) {
	c := Default()
	if path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return Config{}, fmt.Errorf("read configuration: %w", err)
		}
		if err := c.decode(path, data); err != nil {
			return Config{}, err
		}
	}
	if err := c.environment(environ); err != nil {
		return Config{}, err
	}
	return c, nil
}

// Set gives the key at a path, such as kafka.group, a value as text. It is for
// flags, which come last.
func (c *Config) Set(path, text string) error {
	var known []string
	for _, l := range leaves(c) {
		if l.path != path {
			known = append(known, l.path)
			continue
		}
		if err := l.set(text); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	}
	return fmt.Errorf("%s: unknown key%s", path, yamltree.Suggest(path, known))
}

func (c *Config) decode(name string, data []byte) error {
	faults := &yamltree.Faults{Name: name}
	if root := yamltree.Parse(data, faults); root != nil {
		d := &yamltree.Decoder{Faults: faults}
		fields(d, reflect.ValueOf(c).Elem())(root, "")
	}
	return faults.Err()
}

// fields reads a section with the keys that its struct's tags name.
func fields(d *yamltree.Decoder, v reflect.Value) yamltree.Field {
	var out yamltree.Fields
	for i := range v.NumField() {
		use := scalar(d, v.Field(i))
		if section(v.Field(i)) {
			use = fields(d, v.Field(i))
		}
		out = append(out, struct {
			Key string
			Use yamltree.Field
		}{v.Type().Field(i).Tag.Get("yaml"), use})
	}
	return d.Object(out)
}

func scalar(d *yamltree.Decoder, v reflect.Value) yamltree.Field {
	switch field := v.Addr().Interface().(type) {
	case *string:
		return d.Text(field)
	case *[]string:
		return d.Texts(field)
	case *Inputs:
		return inputs(d, field)
	case *int:
		return d.Int(field)
	case *bool:
		return d.Bool(field)
	case *Secret:
		return func(n *yamltree.Node, path string) {
			if n.Kind != yamltree.Text {
				d.Faults.Add(n.Position, path, "the value is %s, not text: put it in quotes", n.Kind)
				return
			}
			*field = NewSecret(n.Raw)
		}
	}
	return func(n *yamltree.Node, path string) {
		text := n.Raw
		if n.Kind != yamltree.Text && n.Kind != yamltree.Number {
			text = n.Brief()
		}
		if err := (leaf{path, v}).set(text); err != nil {
			d.Faults.Add(n.Position, path, "%s", err)
		}
	}
}

// elsewhere are variables with our prefix that are read by the tools around
// the program.
func elsewhere(name string) bool {
	return name == prefix+"CACHE" || name == prefix+"MAVEN" || strings.HasPrefix(name, prefix+"TEST_")
}

func (c *Config) environment(environ []string) error {
	known := map[string]leaf{}
	var names []string
	for _, l := range leaves(c) {
		names = append(names, variable(l.path))
		known[variable(l.path)] = l
	}
	var problems []error
	for _, entry := range environ {
		name, text, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, prefix) || elsewhere(name) {
			continue
		}
		l, ok := known[name]
		switch {
		case !ok:
			problems = append(problems, fmt.Errorf("%s: unknown variable%s", name, yamltree.Suggest(name, names)))
		case text == "":
		default:
			if err := l.set(text); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", name, err))
			}
		}
	}
	return errors.Join(problems...)
}
