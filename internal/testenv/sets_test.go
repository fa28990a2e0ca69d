package testenv

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestClusterServesAllSlotsAndEndsWithItsTest(t *testing.T) {
	t.Parallel()
	var c *ClusterSet
	var pids []int
	t.Run("while it runs", func(t *testing.T) {
		c = Cluster(t)
		for _, n := range c.Nodes {
			pids = append(pids, n.PID())
			if err := n.expect("CLUSTER INFO", "cluster_state:ok", "cluster_size:3", "cluster_slots_assigned:16384"); err != nil {
				t.Error(err)
			}
			if err := n.expect("CLUSTER SLOTS", "127.0.0.1"); err != nil {
				t.Error(err)
			}
		}
		if want := fmt.Sprintf("redis+cluster://%s,%s,%s", c.Addrs[0], c.Addrs[1], c.Addrs[2]); c.URL() != want {
			t.Errorf("URL is %s, want %s", c.URL(), want)
		}
		client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Addrs})
		defer client.Close()
		// Their slots are 3300, 7365 and 15495: one on each node.
		for _, key := range []string{"b", "c", "a"} {
			if err := client.Set(t.Context(), key, "v", 0).Err(); err != nil {
				t.Errorf("SET %s: %v", key, err)
			}
		}
		for _, n := range c.Nodes {
			if size, err := n.ask("DBSIZE"); size != "1" {
				t.Errorf("DBSIZE of %s is %q, %v; want 1", n.Addr, size, err)
			}
		}
	})
	for i, n := range c.Nodes {
		mustBeGone(t, &n.daemon, pids[i])
	}
}

func TestSentinelsFindTheMasterAndEndWithTheTest(t *testing.T) {
	t.Parallel()
	var s *SentinelSet
	var pids []int
	t.Run("while they run", func(t *testing.T) {
		s = Sentinel(t)
		for _, one := range s.servers() {
			pids = append(pids, one.PID())
		}
		want := strings.Replace(s.Master.Addr, ":", "\n", 1)
		for _, one := range s.Sentinels {
			if got, err := one.ask("SENTINEL GET-MASTER-ADDR-BY-NAME mymaster"); got != want {
				t.Errorf("%s has the master at %q, %v; want %q", one.Addr, got, err, want)
			}
		}
		if want := "redis+sentinel://" + strings.Join(s.Addrs, ",") + "/mymaster"; s.URL() != want {
			t.Errorf("URL is %s, want %s", s.URL(), want)
		}
		client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "mymaster", SentinelAddrs: s.Addrs})
		defer client.Close()
		if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
			t.Error(err)
		}
		if v, err := s.Master.ask("GET k"); v != "v" {
			t.Errorf("the master has %q, %v", v, err)
		}
	})
	for i, one := range s.servers() {
		mustBeGone(t, &one.daemon, pids[i])
	}
}

func TestSentinelsReplaceALostMaster(t *testing.T) {
	t.Parallel()
	s := Sentinel(t)
	s.Master.Kill()
	want := strings.Replace(s.Replica.Addr, ":", "\n", 1)
	err := await(time.Minute, nil, func() error {
		return s.Sentinels[0].expect("SENTINEL GET-MASTER-ADDR-BY-NAME mymaster", want)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := await(startLimit, nil, func() error { return s.Replica.expect("ROLE", "master") }); err != nil {
		t.Error(err)
	}
}
