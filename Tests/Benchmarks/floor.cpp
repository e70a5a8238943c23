// The floor for durable ingest: one thread parses NDJSON cost events with simdjson and inserts them
// into SQLite (WAL, synchronous=FULL, 1000 rows a transaction, names as numbers). No validation, no
// prices, no deduplication, no sums, no HTTP.
//
//   floor FILE DATABASE
#include <chrono>
#include <cstdio>
#include <simdjson.h>
#include <sqlite3.h>
#include <string>
#include <unordered_map>

using Names = std::unordered_map<std::string, int>;

static int id_of(Names &names, std::string_view text) {
  return names.try_emplace(std::string(text), int(names.size())).first->second;
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: floor FILE DATABASE\n");
    return 2;
  }
  simdjson::padded_string text;
  if (simdjson::padded_string::load(argv[1]).get(text)) return 1;
  remove(argv[2]);
  sqlite3 *database;
  if (sqlite3_open(argv[2], &database)) return 1;
  auto run = [&](const char *sql) {
    if (sqlite3_exec(database, sql, nullptr, nullptr, nullptr)) {
      fprintf(stderr, "floor: %s\n", sqlite3_errmsg(database));
      exit(1);
    }
  };
  run("pragma journal_mode = wal; pragma synchronous = full;"
      "create table events (id text, time text, tenant int, user int, feature int, provider int,"
      " model int, input int, output int, cached int, cost int)");
  sqlite3_stmt *insert;
  sqlite3_prepare_v2(
      database, "insert into events values (?,?,?,?,?,?,?,?,?,?,?)", -1, &insert, nullptr);
  const std::string_view dimensions[] = {"tenant", "user", "feature", "provider", "model"};
  Names names[5];
  size_t count = 0;
  auto start = std::chrono::steady_clock::now();
  simdjson::ondemand::parser parser;
  simdjson::ondemand::document_stream documents;
  if (parser.iterate_many(text, 1 << 20).get(documents)) return 1;
  run("begin");
  for (auto document : documents) {
    simdjson::ondemand::object object;
    if (document.get_object().get(object)) continue;
    for (auto field : object) {
      std::string_view key, value;
      uint64_t number;
      double cost;
      if (field.unescaped_key().get(key)) continue;
      auto bind_text = [&](int column) {
        if (!field.value().get_string().get(value))
          sqlite3_bind_text(insert, column, value.data(), int(value.size()), SQLITE_TRANSIENT);
      };
      auto bind_number = [&](int column) {
        if (!field.value().get_uint64().get(number)) sqlite3_bind_int64(insert, column, number);
      };
      if (key == "id") bind_text(1);
      else if (key == "timestamp") bind_text(2);
      else if (key == "input_tokens") bind_number(8);
      else if (key == "output_tokens") bind_number(9);
      else if (key == "cached_input_tokens") bind_number(10);
      else if (key == "cost_usd") {
        if (!field.value().get_double().get(cost)) sqlite3_bind_int64(insert, 11, int64_t(cost * 1e9));
      } else {
        for (int i = 0; i < 5; i++)
          if (key == dimensions[i] && !field.value().get_string().get(value))
            sqlite3_bind_int(insert, 3 + i, id_of(names[i], value));
      }
    }
    sqlite3_step(insert);
    sqlite3_reset(insert);
    if (++count % 1000 == 0) run("commit; begin");
  }
  run("commit");
  std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  printf("events %zu seconds %.3f events_per_second %.0f\n", count, time.count(), count / time.count());
}
