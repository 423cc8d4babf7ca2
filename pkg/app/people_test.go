package app

import (
	"testing"

	"tidemark/pkg/config"
)

func TestTheSameSecretKeepsPeopleUnderTheSameKey(t *testing.T) {
	t.Parallel()
	key := func(secret string) people {
		p, err := newPeople(config.People{Secret: config.NewSecret(secret)})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	one, again, other, none := key("one"), key("one"), key("other"), key("")
	if one != again || one.check == "" || !one.keyed {
		t.Errorf("one secret gives %+v and %+v", one, again)
	}
	if other.check == one.check || other.k0 == one.k0 {
		t.Error("two secrets give one key")
	}
	if none != (people{}) {
		t.Errorf("no secret gives %+v", none)
	}
}
