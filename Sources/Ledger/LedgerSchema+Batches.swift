extension LedgerSchema {
    /// Events move from a row each to a row a batch, and `events` becomes a view of them; see
    /// `StoredBatch`. `rolled_seq` is the last event that is in the stored roll-ups; those up to
    /// `applied_seq` follow when the writer has time.
    ///
    /// Numbers of events stay: only runs of events without a gap become a batch.
    public static let batches = """
        drop view cost_records;

        create table event_batches (
            seq integer primary key,
            count integer not null,
            received_ns integer not null,
            oldest_ns integer not null,
            newest_ns integer not null,
            rows text not null
        );

        insert into event_batches
            select first, n, base, oldest, newest, (
                select json_group_array(json_array(
                    ifnull(id, ''), timestamp_ns - base, received_ns - base, ifnull(tenant, 0),
                    ifnull(user, 0), ifnull(feature, 0), ifnull(provider, 0), ifnull(model, 0),
                    ifnull(input_tokens, 0), ifnull(cached_input_tokens, 0),
                    ifnull(output_tokens, 0), cost_nanousd, facts, ifnull(cache_write_tokens, 0),
                    ifnull(reasoning_tokens, 0), ifnull(duration_ms, 0), ifnull(agent, 0),
                    ifnull(operation, 0), ifnull(tags, 0), ifnull(request, ''),
                    ifnull(conversation, ''), ifnull(task, ''), ifnull(detail, '')))
                from (
                    select * from events where seq >= first and seq < first + n order by seq))
            from (
                select min(seq) as first, count(*) as n, min(received_ns) as base,
                    min(timestamp_ns) as oldest, max(timestamp_ns) as newest
                from (
                    select seq, received_ns, timestamp_ns,
                        seq - row_number() over (order by seq) as run
                    from events)
                group by run, (seq - 1) / 1024);

        insert into ledger_meta
            select 'rolled_seq', value from ledger_meta where key = 'applied_seq';

        drop table events;

        """ + eventsView + view(withAdjustments: true)

    /// All steps of this room, for a store without the other rooms.
    public static let tables = version1 + Adjustments.tables + spendSums + batches

    /// For a person with `sqlite3`: one row an event, numbers as names' ids.
    private static let eventsView: String = {
        let texts = ["id", "request", "conversation", "task", "detail"]
        let columns = StoredBatch.columns.enumerated().map { index, column in
            let value = "json_extract(e.value, '$[\(index)]')"
            return switch column {
            case "timestamp_ns", "received_ns": "b.received_ns + \(value) as \(column)"
            case "cost_nanousd", "facts": "\(value) as \(column)"
            case _ where texts.contains(column): "nullif(\(value), '') as \(column)"
            default: "nullif(\(value), 0) as \(column)"
            }
        }
        return """
            create view events as
            select b.seq + e.key as seq, \(columns.joined(separator: ", "))
            from event_batches b, json_each(b.rows) e;

            """
    }()
}
