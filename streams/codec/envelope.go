package codec

import (
	"bytes"
	"encoding/base64"
	"mime"
	"strings"
	"unicode/utf8"

	"tidemark/scoring"
)

// The CloudEvents attributes that matter here, as indices.
const (
	specversion = iota
	id
	source
	typ
	instant
	subject
	contentType
	attributes // how many
)

var names = [attributes]string{"specversion", "id", "source", "type", "time", "subject", "datacontenttype"}

// attributeOf is the index of a name, or none.
func attributeOf(name []byte) int {
	switch string(name) {
	case "specversion":
		return specversion
	case "id":
		return id
	case "source":
		return source
	case "type":
		return typ
	case "time":
		return instant
	case "subject":
		return subject
	case "datacontenttype":
		return contentType
	}
	return none
}

// attribute is the value of a CloudEvents attribute. In JSON null is as good as
// not there.
type attribute struct {
	present bool
	kind    kind // kindString, or what it wrongly is
	text    []byte
}

// envelope is a CloudEvent before its data is looked at.
type envelope struct {
	attributes [attributes]attribute
	doc        *document        // of the data
	data       int              // node of doc, or none
	person     *scoring.Contact // to be filled, if there is one; nil: make one
}

// headers are what the headers of a record say. Of a key that comes more than
// once the last one counts, as for Kafka's own clients.
type headers struct {
	attributes [attributes]attribute
	any        bool // at least one attribute
	size       int  // bytes of all ce_ headers
	media      string
	charset    string
}

func headersOf(list []Header) headers {
	h := headers{charset: "utf-8"}
	for i := range list {
		key, value := list[i].Key, list[i].Value
		if name, ok := strings.CutPrefix(key, "ce_"); ok {
			h.size += len(key) + len(value)
			if n := attributeOf([]byte(name)); n != none && n != contentType {
				h.attributes[n] = attribute{present: value != nil, kind: kindString, text: value}
				h.any = true
			}
		} else if strings.EqualFold(key, "content-type") {
			h.media, h.charset = mediaType(value)
		}
	}
	return h
}

// The media types of the JSON event format.
const (
	mediaStructured = "application/cloudevents+json"
	mediaBatch      = "application/cloudevents-batch+json"
)

// mediaType reads a content type leniently: a parameter that cannot be read is
// as good as none. The usual ones cost no allocation.
func mediaType(value []byte) (media, charset string) {
	switch string(value) {
	case mediaStructured, "application/cloudevents+json; charset=utf-8",
		"application/cloudevents+json; charset=UTF-8":
		return mediaStructured, "utf-8"
	case mediaBatch, "application/cloudevents-batch+json; charset=utf-8", "application/cloudevents-batch+json; charset=UTF-8":
		return mediaBatch, "utf-8"
	case "application/json":
		return "application/json", "utf-8"
	}
	text := string(value)
	media, parameters, err := mime.ParseMediaType(text)
	if err != nil {
		media, _, _ = strings.Cut(text, ";")
		media = strings.ToLower(strings.TrimSpace(media))
	}
	if charset = strings.ToLower(parameters["charset"]); charset == "" {
		charset = "utf-8"
	}
	return media, charset
}

// isJSON tells whether data of a media type is JSON. None given means JSON.
func isJSON(media string) bool {
	return media == "" || media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json")
}

// binary reads a record in binary mode: attributes in ce_ headers, the value is
// the data.
func (d *Decoder) binary(doc *document, r *Record, h *headers, s *slot) *Bad {
	e := envelope{attributes: h.attributes, doc: doc, data: none, person: &s.contact}
	for i := range e.attributes {
		if !utf8.Valid(e.attributes[i].text) {
			return bad(Malformed, "ce_%s: not valid UTF-8", names[i])
		}
	}
	if len(r.Value) > 0 {
		if !isJSON(h.media) {
			return bad(BadAttribute, "content-type: %s, data must be JSON", show([]byte(h.media)))
		}
		if !doc.parse(r.Value) {
			return bad(Malformed, "value: %s", doc.fault)
		}
		e.data = 0
	}
	return d.fill(&e, &s.event)
}

// structured reads the object that doc holds as a CloudEvent.
func (d *Decoder) structured(doc *document, s *slot) *Bad {
	e := envelope{doc: doc, data: none, person: &s.contact}
	encoded := none
	doc.members(0, func(key []byte, value int) {
		if n := attributeOf(key); n != none {
			e.attributes[n] = doc.attribute(value)
			return
		}
		switch string(key) {
		case "data":
			e.data = value
		case "data_base64":
			encoded = value
		}
	})
	if doc.kind(encoded) == kindNull {
		return d.fill(&e, &s.event)
	}
	if doc.kind(e.data) != kindNull {
		return bad(BadAttribute, "data_base64: there is data as well, only one of them is allowed")
	}
	if fault := e.decodeBase64(encoded); fault != nil {
		return fault
	}
	return d.fill(&e, &s.event)
}

// decodeBase64 makes the JSON within data_base64 the data.
func (e *envelope) decodeBase64(n int) *Bad {
	if kind := e.doc.kind(n); kind != kindString {
		return bad(BadAttribute, "data_base64: %s, must be a string", kind)
	}
	if media, _ := mediaType(e.attributes[contentType].text); !isJSON(media) {
		return bad(BadAttribute, "datacontenttype: %s, data must be JSON", show([]byte(media)))
	}
	text, err := base64.StdEncoding.AppendDecode(nil, e.doc.bytes(n))
	if err != nil {
		return bad(BadAttribute, "data_base64: not base64")
	}
	inner := new(document)
	if !inner.parse(text) {
		return bad(Malformed, "data_base64: %s", inner.fault)
	}
	e.doc, e.data = inner, 0
	return nil
}

func (d *document) attribute(n int) attribute {
	switch d.kind(n) {
	case kindNull:
		return attribute{}
	case kindString:
		return attribute{present: true, kind: kindString, text: d.bytes(n)}
	}
	return attribute{present: true, kind: d.kind(n)}
}

// has reports whether the object at n has a member of this name. Mostly it is the first.
func (d *document) has(n int, name string) bool {
	for i, end := n+1, int(d.nodes[n].next); i < end; i = int(d.nodes[i+1].next) {
		if string(d.bytes(i)) == name {
			return true
		}
	}
	return false
}

// required is an attribute that must be a string that is not empty.
func (e *envelope) required(n int) (string, *Bad) {
	a := &e.attributes[n]
	if !a.present || a.kind == kindString && len(a.text) == 0 {
		return "", bad(MissingAttribute, "%s: missing, a string that is not empty is required", names[n])
	}
	if a.kind != kindString {
		return "", bad(BadAttribute, "%s: %s, must be a string", names[n], a.kind)
	}
	return e.doc.keep(a.text), nil
}

// account is the subject as an account id, empty where there is none.
func (e *envelope) account() (string, *Bad) {
	a := &e.attributes[subject]
	if !a.present {
		return "", nil
	}
	if a.kind != kindString {
		return "", bad(BadAttribute, "subject: %s, must be a string", a.kind)
	}
	if plainID(a.text) {
		return e.doc.keep(a.text), nil
	}
	return accountID("subject", a.text)
}

// version checks specversion.
func (e *envelope) version() *Bad {
	a := &e.attributes[specversion]
	switch {
	case !a.present:
		return bad(MissingAttribute, `specversion: missing, must be "1.0"`)
	case a.kind != kindString:
		return bad(BadAttribute, `specversion: %s, must be the string "1.0"`, a.kind)
	case !bytes.Equal(a.text, []byte("1.0")):
		return bad(BadAttribute, `specversion: %s, must be "1.0"`, show(a.text))
	}
	return nil
}
