package doctor

import (
	"fmt"
	"strings"
)

// acl is the command that allows something.
func (*report) acl(k *Kafka, what string) string {
	user := k.User
	if user == "" {
		user = "tidemark"
	}
	return fmt.Sprintf("kafka-acls.sh --bootstrap-server %s --add --allow-principal User:%s %s", k.Addr, user, what)
}

// needs are what serve does with a kind of topic.
func needs(kind Kind) (read, write bool) {
	switch kind {
	case Outcomes:
		return false, false
	case Changes, Feeds:
		return false, true
	case Tiers, Letters, Followed, Steps:
		return true, true
	}
	return true, false
}

func (r *report) rights(k *Kafka, t *Topic) {
	read, write := needs(t.Kind)
	if !read && !write {
		if t.Rights.Known && !t.Rights.Describe {
			r.bad(Unknown, "topic.settings", t.Name, "this user may not see it, and need not", "whether outcomes are kept for backtests could not be judged", r.acl(k, "--operation DescribeConfigs --topic "+t.Name))
		}
		return
	}
	if !t.Rights.Known {
		r.bad(Unknown, "topic.rights", t.Name, "the broker does not tell what this user may do", "a right that lacks shows only when it is needed",
			"compare with the rights in deploy/README.md: kafka-acls.sh --bootstrap-server "+k.Addr+" --list --topic "+t.Name)
		return
	}
	var lacks []string
	for _, one := range []struct {
		name        string
		needed, has bool
	}{{"Describe", true, t.Rights.Describe}, {"Read", read, t.Rights.Read}, {"Write", write, t.Rights.Write}} {
		if one.needed && !one.has {
			lacks = append(lacks, one.name)
		}
	}
	if len(lacks) == 0 {
		r.ok("topic.rights", t.Name, "all that serve needs")
		return
	}
	r.bad(Fail, "topic.rights", t.Name, "this user may not "+strings.Join(lacks, ", "), "serve ends where it is refused a right",
		r.acl(k, "--operation "+strings.Join(lacks, " --operation ")+" --topic "+t.Name))
}

func (r *report) group(k *Kafka) {
	switch g := k.Group; {
	case !g.Known:
		what := "the broker does not tell what this user may do"
		if g.Err != nil {
			what = g.Err.Error()
		}
		r.bad(Unknown, "group.rights", k.GroupName, what, "without the right to read in the group no instance joins it",
			"kafka-acls.sh --bootstrap-server "+k.Addr+" --list --group "+k.GroupName)
	case !g.Read:
		r.bad(Fail, "group.rights", k.GroupName, "this user may not read in the group", "no instance can join it",
			r.acl(k, "--operation Read --operation Describe --group "+k.GroupName+" --resource-pattern-type prefixed"))
	default:
		r.ok("group.rights", k.GroupName, "all that serve needs")
	}
}
