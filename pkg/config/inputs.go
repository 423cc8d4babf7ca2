package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"tidemark/pkg/config/yamltree"
)

// Inputs say in what format events come, topic by topic. A topic that is none of
// Topics is read as well.
type Inputs []Input

// Input is a topic to read and the format of what is in it.
type Input struct {
	Topic   string
	Format  string // one of the formats below
	Mapping string // a file, for FormatMapped only
	// GroupProfiles is what group calls do to profiles, for FormatSegment only: one of
	// the words below, empty for the first.
	GroupProfiles string
}

// The formats. Topics without an Input hold CloudEvents.
const (
	FormatCloudEvents = "cloudevents"
	FormatSegment     = "segment"
	FormatMapped      = "mapped"
)

// What Segment's group calls do to the account's profile: make it what their traits
// say, or nothing, as something else owns it.
const (
	GroupProfilesReplace = "replace"
	GroupProfilesIgnore  = "ignore"
)

var formats = []string{FormatCloudEvents, FormatSegment, FormatMapped}

// InputTopics are the topics that are read, profiles first: of inputs at one instant,
// what is known of an account comes before what it does.
func (k Kafka) InputTopics() []string {
	out := []string{k.Topics.Profiles, k.Topics.Intent, k.Topics.Engagement}
	return append(out, k.MoreTopics()...)
}

// MoreTopics are the topics of Inputs that are read beside those of Topics, in order.
func (k Kafka) MoreTopics() []string {
	var out []string
	for _, in := range k.Inputs {
		if k.Topics.key(in.Topic) == "" {
			out = append(out, in.Topic)
		}
	}
	return out
}

// key is the key under which a topic is named, empty where it is not.
func (t Topics) key(name string) string {
	v := reflect.ValueOf(t)
	for i := range v.NumField() {
		if v.Field(i).String() == name {
			return v.Type().Field(i).Tag.Get("yaml")
		}
	}
	return ""
}

// inputs reads the list of the file.
func inputs(d *yamltree.Decoder, to *Inputs) yamltree.Field {
	return yamltree.ListOf(d, (*[]Input)(to), func(in *Input) yamltree.Field {
		return d.Require(d.Object(yamltree.Fields{
			{Key: "topic", Use: d.Text(&in.Topic)},
			{Key: "format", Use: d.Text(&in.Format)},
			{Key: "mapping", Use: d.Text(&in.Mapping)},
			{Key: "group_profiles", Use: d.Text(&in.GroupProfiles)},
		}), "topic", "format")
	})
}

// parseInputs reads the form of the environment: topic=format, topic=mapped:FILE
// or topic=segment:WORD with what group calls do to profiles, apart by commas.
func parseInputs(text string) (Inputs, error) {
	var out Inputs
	for _, part := range split(text) {
		topic, format, found := strings.Cut(part, "=")
		if !found {
			return nil, fmt.Errorf("%q is not topic=format, topic=mapped:FILE or topic=segment:ignore", part)
		}
		in := Input{Topic: strings.TrimSpace(topic)}
		var more string
		if in.Format, more, _ = strings.Cut(strings.TrimSpace(format), ":"); in.Format == FormatSegment {
			in.GroupProfiles = more
		} else {
			in.Mapping = more
		}
		out = append(out, in)
	}
	return out, nil
}

// text is the list as the file has it.
func (in Inputs) text() string {
	parts := make([]string, len(in))
	for i, one := range in {
		parts[i] = fmt.Sprintf("{topic: %s, format: %s", quote(one.Topic), quote(one.Format))
		if one.Mapping != "" {
			parts[i] += ", mapping: " + quote(one.Mapping)
		}
		if one.GroupProfiles != "" {
			parts[i] += ", group_profiles: " + quote(one.GroupProfiles)
		}
		parts[i] += "}"
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// inputs checks each input. What goes out must not come in again.
func (p *problems) inputs(k Kafka) {
	seen := map[string]int{}
	for i, in := range k.Inputs {
		path := fmt.Sprintf("kafka.inputs[%d]", i)
		p.topicName(path+".topic", in.Topic)
		if first, twice := seen[in.Topic]; twice {
			p.add(path+".topic", "%q is the topic of kafka.inputs[%d] too: a topic has one format", in.Topic, first)
		}
		seen[in.Topic] = i
		if key := k.Topics.key(in.Topic); slices.Contains([]string{"tier_changes", "account_tiers", "dead_letters"}, key) {
			p.add(path+".topic", "%q is kafka.topics.%s, which is written and not read", in.Topic, key)
		}
		if !slices.Contains(formats, in.Format) {
			p.add(path+".format", "%q is not one of %s", in.Format, strings.Join(formats, ", "))
			continue
		}
		switch segment, words := in.Format == FormatSegment, []string{GroupProfilesReplace, GroupProfilesIgnore}; {
		case in.GroupProfiles == "":
		case !segment:
			p.add(path+".group_profiles", "%q is set, but the format is %s: remove it", in.GroupProfiles, in.Format)
		case !slices.Contains(words, in.GroupProfiles):
			p.add(path+".group_profiles", "%q is not one of %s", in.GroupProfiles, strings.Join(words, ", "))
		}
		switch mapped := in.Format == FormatMapped; {
		case mapped && in.Mapping == "":
			p.add(path+".mapping", "must name a mapping file, as the format is %s; configs/mappings has some to start from", in.Format)
		case !mapped && in.Mapping != "":
			p.add(path+".mapping", "%q is set, but the format is %s: remove it, or set format to %s", in.Mapping, in.Format, FormatMapped)
		}
	}
}
