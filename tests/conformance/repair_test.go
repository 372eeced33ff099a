package conformance

import (
	"strconv"
	"testing"

	"github.com/libsds/libsds/core/channel"
	"github.com/libsds/libsds/core/wire"
)

func TestRepairTimersAndGroupsAgreeWithEveryVector(t *testing.T) {
	var file struct {
		Vectors []struct {
			Participant string `json:"participant"`
			Sender      string `json:"sender"`
			MessageID   string `json:"messageId"`
			TMin        int64  `json:"tMinMs"`
			TMax        int64  `json:"tMaxMs"`
			TReq        int64  `json:"tReqMs"`
			TResp       int64  `json:"tRespMs"`
			// InGroup is by number of groups; left out of most vectors.
			InGroup map[string]bool `json:"inResponseGroup"`
		} `json:"vectors"`
	}
	loadVectors(t, "repair", &file)
	groupings := 0
	for i, v := range file.Vectors {
		if got := channel.RequestDelay(v.Participant, v.MessageID, v.TMin, v.TMax); got != v.TReq {
			t.Errorf("vector %d: T_req %d, want %d", i, got, v.TReq)
		}
		if got := channel.ResponseDelay(v.Participant, v.Sender, v.MessageID, v.TMax); got != v.TResp {
			t.Errorf("vector %d: T_resp %d, want %d", i, got, v.TResp)
		}
		for text, want := range v.InGroup {
			groups, err := strconv.Atoi(text)
			if err != nil {
				t.Fatalf("vector %d: %v", i, err)
			}
			if got := channel.InResponseGroup(wire.SDS03, v.Participant, v.Sender, v.MessageID, groups); got != want {
				t.Errorf("vector %d: in group of %d is %v, want %v", i, groups, got, want)
			}
			groupings++
		}
	}
	if len(file.Vectors) != 300 || groupings != 700 {
		t.Errorf("%d vectors with %d groupings, want 300 with 700", len(file.Vectors), groupings)
	}
}
