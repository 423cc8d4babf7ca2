package outbound

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/template"
)

// Template makes the body of a request. It is a text/template whose output must be
// JSON; `json` writes a value as JSON.
type Template struct{ t *template.Template }

// functions are what templates may call beside text/template's own.
var functions = template.FuncMap{
	"json":  asJSON,
	"slack": slackText,
	"upper": strings.ToUpper,
}

// ParseTemplate reads a template; name is for messages.
func ParseTemplate(name, text string) (*Template, error) {
	t, err := template.New(name).Option("missingkey=default").Funcs(functions).Parse(text)
	if err != nil {
		return nil, err
	}
	return &Template{t}, nil
}

// Mentions reports whether the template reads a member of its data by this name.
func (t *Template) Mentions(name string) bool { return strings.Contains(t.t.Root.String(), "."+name) }

// Render makes a body of data.
func (t *Template) Render(data any) ([]byte, error) {
	var out bytes.Buffer
	if err := t.t.Execute(&out, data); err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, out.Bytes()); err != nil {
		return nil, fmt.Errorf("template %s: what it made is not JSON: %w", t.t.Name(), err)
	}
	return compact.Bytes(), nil
}

func asJSON(v any) (string, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(out.String(), "\n"), err
}

// slackText escapes what Slack would read as markup. Nothing is an empty text.
func slackText(v any) string {
	if v == nil {
		return ""
	}
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(fmt.Sprint(v))
}

// Tree is JSON as templates read it: numbers stay as they are written.
func Tree(value []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	var out map[string]any
	if err := d.Decode(&out); err != nil {
		return nil, err
	}
	if out == nil {
		return nil, errors.New("not an object")
	}
	return out, nil
}
