package yamltree

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

func (c *converter) list(n *ast.SequenceNode, path string, depth int) *Node {
	out := &Node{Position: position(n), Kind: List}
	for i, v := range n.Values {
		out.Items = append(out.Items, c.node(v, fmt.Sprintf("%s[%d]", path, i), depth+1))
	}
	return out
}

// mapping also applies merge keys: what is written beside `<<` wins over what
// `<<` brings, and of several sources the first wins.
func (c *converter) mapping(n *ast.MappingNode, path string, depth int) *Node {
	out := &Node{Position: position(n), Kind: Map}
	written := map[string]Position{}
	for _, v := range n.Values {
		if !v.Key.IsMergeKey() {
			written[keyText(v.Key)] = Position{}
		}
	}
	for _, v := range n.Values {
		if v.Key.IsMergeKey() {
			c.merge(out, c.node(v.Value, path, depth+1), written, path)
			continue
		}
		key, at := keyText(v.Key), position(v.Key)
		if first := written[key]; first.Line != 0 {
			c.faults.Add(at, Join(path, key), "the key is here twice: first on line %d", first.Line)
			continue
		}
		written[key] = at
		out.Entries = append(out.Entries, Entry{key, at, c.node(v.Value, Join(path, key), depth+1)})
	}
	return out
}

func (c *converter) merge(out, from *Node, written map[string]Position, path string) {
	switch from.Kind {
	case List:
		for _, item := range from.Items {
			c.merge(out, item, written, path)
		}
	case Map:
		for _, e := range from.Entries {
			if _, ok := written[e.Key]; !ok {
				written[e.Key] = e.At
				out.Entries = append(out.Entries, e)
			}
		}
	default:
		c.faults.Add(from.Position, path, "<< takes a map or a list of maps, not %s", from.Brief())
	}
}

func (c *converter) anchor(n *ast.AnchorNode, path string, depth int) *Node {
	name := n.Name.GetToken().Value
	c.anchors[name] = nil
	out := c.node(n.Value, path, depth+1)
	c.anchors[name] = out
	return out
}

func (c *converter) alias(n *ast.AliasNode, path string) *Node {
	name, at := n.Value.GetToken().Value, position(n)
	node, known := c.anchors[name]
	switch {
	case !known:
		c.faults.Add(at, path, "*%s refers to no anchor before it", name)
	case node == nil:
		c.faults.Add(at, path, "*%s contains itself", name)
	default:
		// Whoever reads the tree walks the shared value again.
		c.count += node.size()
		if c.count > maxNodes {
			return c.node(n, path, maxDepth+1)
		}
		return node
	}
	return &Node{Position: at}
}

func (n *Node) size() int {
	total := 1
	for _, item := range n.Items {
		total += item.size()
	}
	for _, e := range n.Entries {
		total += e.Value.size()
	}
	return total
}

// tagged accepts the tags that change nothing, and !!str.
func (c *converter) tagged(n *ast.TagNode, path string, depth int) *Node {
	out := c.node(n.Value, path, depth+1)
	switch n.Start.Value {
	case "!!str":
		if out.Kind == Number || out.Kind == Bool {
			return &Node{Position: out.Position, Kind: Text, Raw: out.Raw}
		}
	case "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq":
	default:
		c.faults.Add(position(n), path, "the tag %s is not supported", n.Start.Value)
	}
	return out
}

// Join adds a key to a path.
func Join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func keyText(key ast.MapKeyNode) string {
	if k, ok := key.(*ast.MappingKeyNode); ok && k.Value != nil {
		if inner, ok := k.Value.(ast.MapKeyNode); ok {
			return keyText(inner)
		}
	}
	if s, ok := key.(*ast.StringNode); ok {
		return s.Value
	}
	return strings.TrimSpace(key.GetToken().Value)
}
