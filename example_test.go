package redbud_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud"
)

// greet is a program for any engine.
func greet(ctx context.Context, url string) error {
	db, err := redbud.Open(ctx, url)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.Set(ctx, "greeting", "hello", 0).Err(); err != nil {
		return err
	}
	fmt.Println(db.Get(ctx, "greeting").Val())
	return nil
}

func ExampleOpen() {
	ctx := context.Background()
	db, err := redbud.Open(ctx, "memory://")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.Set(ctx, "greeting", "hello", 0)
	fmt.Println(db.Get(ctx, "greeting").Val())
	// Output: hello
}

// The same program runs on another engine by another URL: greet(ctx, "redis://localhost:6379").
func ExampleOpen_anotherEngine() {
	if err := greet(context.Background(), "memory://shared"); err != nil {
		log.Fatal(err)
	}
	// Output: hello
}

func ExampleNew() {
	db, err := redbud.New(redbud.Options{Engine: "memory"})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	ctx := context.Background()
	db.ZAdd(ctx, "ranking", redis.Z{Score: 3, Member: "ada"}, redis.Z{Score: 5, Member: "grace"})
	fmt.Println(db.ZRevRange(ctx, "ranking", 0, -1).Val())
	// Output: [grace ada]
}

// A script runs as one command. Run sends its digest, and the script itself only where it is not known yet.
func ExampleDB_scripts() {
	ctx := context.Background()
	db, err := redbud.Open(ctx, "memory://")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	take := redis.NewScript(`
		local left = tonumber(redis.call('GET', KEYS[1]) or '0')
		if left < tonumber(ARGV[1]) then return redis.error_reply('SOLDOUT only ' .. left .. ' left') end
		return redis.call('DECRBY', KEYS[1], ARGV[1])`)
	db.Set(ctx, "tickets", 5, 0)
	fmt.Println(take.Run(ctx, db, []string{"tickets"}, 3).Int())
	fmt.Println(take.Run(ctx, db, []string{"tickets"}, 3).Int())
	// Output:
	// 2 <nil>
	// 0 SOLDOUT only 2 left
}

// Functions come in libraries and are called by name. What a library keeps in its variables stays between calls.
func ExampleDB_functions() {
	ctx := context.Background()
	db, err := redbud.Open(ctx, "memory://")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	library := `#!lua name=visits
		redis.register_function('visit', function(keys, args)
			redis.call('HSET', keys[1], 'last', args[1])
			return redis.call('HINCRBY', keys[1], 'count', 1)
		end)`
	if err := db.FunctionLoad(ctx, library).Err(); err != nil {
		log.Fatal(err)
	}
	db.FCall(ctx, "visit", []string{"ada"}, "monday")
	fmt.Println(db.FCall(ctx, "visit", []string{"ada"}, "tuesday").Int())
	// Output: 2 <nil>
}

func ExampleDB_ListenAndServe() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	db, err := redbud.Open(ctx, "memory://")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	if err := db.ListenAndServe(ctx, "127.0.0.1:6379"); err != nil { // now redis-cli works on it
		log.Fatal(err)
	}
}

func ExampleDB_Namespace() {
	ctx := context.Background()
	db, err := redbud.Open(ctx, "memory://")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	app := db.Namespace("app:")
	app.Set(ctx, "greeting", "hello", 0)
	fmt.Println(app.Keys(ctx, "*").Val(), db.Keys(ctx, "*").Val())
	app.FlushDB(ctx)
	fmt.Println(db.Exists(ctx, "app:greeting").Val())
	// Output:
	// [greeting] [app:greeting]
	// 0
}

// What one part of a program publishes, others hear, in the same process or behind the same Redis.
func Example_subscribe() {
	ctx := context.Background()
	db, err := redbud.Open(ctx, "memory://")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	sub := db.Subscribe(ctx, "news")
	defer sub.Close()
	if _, err := sub.Receive(ctx); err != nil { // the confirmation: nothing is missed from here on
		log.Fatal(err)
	}
	db.Publish(ctx, "news", "hello")
	msg, err := sub.ReceiveMessage(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(msg.Channel, msg.Payload)
	// Output: news hello
}

// Keyspace notifications tell what happens to keys.
func Example_notifications() {
	ctx := context.Background()
	db, err := redbud.Open(ctx, "memory://")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	db.ConfigSet(ctx, "notify-keyspace-events", "Ex") // which keys expire
	sub := db.Subscribe(ctx, "__keyevent@0__:expired")
	defer sub.Close()
	if _, err := sub.Receive(ctx); err != nil {
		log.Fatal(err)
	}
	db.Set(ctx, "session:1", "ann", time.Millisecond)
	msg, err := sub.ReceiveMessage(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(msg.Payload)
	// Output: session:1
}
