package cache_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/cache"
	"github.com/redbud-go/redbud/cache/codec"
)

type User struct {
	Name string
	Age  int
}

func Example() {
	ctx := context.Background()
	users, err := cache.Open[User](ctx, "memory://", cache.Options{Prefix: "users:"}) // or redis://…, sqlite:///…
	if err != nil {
		log.Fatal(err)
	}
	defer users.Close()

	if err := users.Set(ctx, "ann", User{"Ann", 30}, time.Hour); err != nil {
		log.Fatal(err)
	}
	fmt.Println(users.Get(ctx, "ann"))
	_, err = users.Get(ctx, "bob")
	fmt.Println(errors.Is(err, cache.ErrMiss))
	// Output:
	// {Ann 30} <nil>
	// true
}

// openNumbers opens a cache of numbers for an example.
func openNumbers() *cache.Cache[int] {
	c, err := cache.Open[int](context.Background(), "memory://", cache.Options{Prefix: "n:"})
	if err != nil {
		log.Fatal(err)
	}
	return c
}

// A cache on a client that a program has already; what it stores is JSON that other programs can read.
func ExampleNew() {
	ctx := context.Background()
	json, err := codec.Open("json://")
	if err != nil {
		log.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
	defer client.Close()
	users, err := cache.New[User](client, cache.Options{Prefix: "users:", Codec: json})
	if err != nil {
		log.Fatal(err)
	}
	if err := users.Set(ctx, "ann", User{"Ann", 30}, time.Hour); err != nil {
		log.Print(err)
	}
}

func ExampleCache_SetIf() {
	ctx, c := context.Background(), openNumbers()
	defer c.Close()
	fmt.Println(c.SetIf(ctx, cache.IfMissing, "one", 1, cache.Forever))
	fmt.Println(c.SetIf(ctx, cache.IfMissing, "one", 2, cache.Forever))
	// Output:
	// true <nil>
	// false <nil>
}

func ExampleCache_GetMany() {
	ctx, c := context.Background(), openNumbers()
	defer c.Close()
	c.SetMany(ctx, map[string]int{"one": 1, "two": 2}, time.Hour)
	fmt.Println(c.GetMany(ctx, "two", "three", "one"))
	// Output: [{2 true false} {0 false false} {1 true false}] <nil>
}

func ExampleCache_Clear() {
	ctx, c := context.Background(), openNumbers()
	defer c.Close()
	c.SetMany(ctx, map[string]int{"one": 1, "two": 2}, time.Hour)
	fmt.Println(c.Clear(ctx))
	// Output: 2 <nil>
}

func ExampleCache_ExpireIn() {
	ctx, c := context.Background(), openNumbers()
	defer c.Close()
	c.Set(ctx, "one", 1, cache.Forever)
	fmt.Println(c.ExpireIn(ctx, "one", time.Minute))
	fmt.Println(c.ExpireIn(ctx, "one", 0)) // now
	fmt.Println(c.Exists(ctx, "one"))
	// Output:
	// true <nil>
	// true <nil>
	// false <nil>
}

func ExampleCache_Hash() {
	ctx, c := context.Background(), openNumbers()
	defer c.Close()
	points := c.Hash("points")
	points.Set(ctx, map[string]int{"ann": 3, "bob": 5}, time.Hour)
	fmt.Println(points.Get(ctx, "bob"))
	fmt.Println(points.All(ctx))
	// Output:
	// 5 <nil>
	// map[ann:3 bob:5] <nil>
}

func ExampleCache_List() {
	ctx, c := context.Background(), openNumbers()
	defer c.Close()
	last := c.List("last")
	last.PushBack(ctx, time.Hour, 1, 2, 3)
	fmt.Println(last.PopFront(ctx, 2))
	fmt.Println(last.Range(ctx, 0, -1))
	// Output:
	// [1 2] <nil>
	// [3] <nil>
}
