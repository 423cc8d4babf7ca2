package source

import (
	"context"
	"errors"

	"github.com/segmentio/kafka-go"
)

// replace takes out of the group what an earlier process of this instance left in
// it when it crashed: the group would wait a session time-out for it, and the new
// one with it. The members tell their instance in the balancer's user data. It is done
// once, before the first join, and best effort: if it fails, the join takes longer. An
// instance that lives and has the same name by mistake joins again.
func (s *Source) replace(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.RequestTimeout)
	defer cancel()
	dead, err := s.predecessors(ctx)
	if err == nil && len(dead) > 0 {
		var r *kafka.LeaveGroupResponse
		if r, err = s.client.LeaveGroup(ctx, &kafka.LeaveGroupRequest{GroupID: s.cfg.Group, Members: dead}); err == nil {
			err = r.Error
		}
	}
	if len(dead) > 0 || err != nil {
		s.log.Debug().Err(err).Int("members", len(dead)).Msg("took the place of an earlier process of this instance")
	}
}

// predecessors are the members of the group with the name of this instance.
func (s *Source) predecessors(ctx context.Context) (members []kafka.LeaveGroupRequestMember, err error) {
	r, err := s.client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{s.cfg.Group}})
	if err != nil {
		return nil, err
	}
	if len(r.Groups) != 1 {
		return nil, errors.New("the group is not described")
	}
	for _, m := range r.Groups[0].Members {
		if string(m.MemberMetadata.UserData) == s.cfg.InstanceID {
			members = append(members, kafka.LeaveGroupRequestMember{ID: m.MemberID})
		}
	}
	return members, r.Groups[0].Error
}
