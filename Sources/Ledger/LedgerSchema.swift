/// The ledger's tables, step by step; see `Schema`.
public enum LedgerSchema {
    /// Names: ids are dense from 1; 1 is `__other__`.
    ///
    /// Events: in order of arrival, no index but the row number. An index over random ids would cost
    /// 15 times as much as everything else together; duplicates are found in memory. One row a call
    /// here; `batches` makes it one a batch.
    ///
    /// Roll-ups: sums by quarter hour and all dimensions, for queries and back-fills. Plain tokens
    /// are those that are of no other kind.
    ///
    /// Totals and rings: the state in memory as of row `applied_seq` in `ledger_meta`; later rows
    /// are applied again at start.
    public static let version1 = """
        create table names (
            id integer primary key,
            text text not null
        );

        create table events (
            seq integer primary key,
            id text, request text, conversation text, task text,
            timestamp_ns integer not null, received_ns integer not null,
            tenant integer, user integer, feature integer, agent integer, operation integer,
            provider integer, model integer, tags integer,
            input_tokens integer, cached_input_tokens integer, cache_write_tokens integer,
            output_tokens integer, reasoning_tokens integer,
            cost_nanousd integer, facts integer not null, duration_ms integer, detail text
        );

        create table rollups (
            quarter integer not null,
            tenant integer not null, user integer not null, feature integer not null,
            agent integer not null, operation integer not null, provider integer not null,
            model integer not null, tags integer not null, facts integer not null,
            events integer not null, input_tokens integer not null,
            plain_input_tokens integer not null, plain_output_tokens integer not null,
            cached_input_tokens integer not null, cache_write_tokens integer not null,
            output_tokens integer not null, reasoning_tokens integer not null,
            audio_input_tokens integer not null, audio_output_tokens integer not null,
            cost_nanousd integer not null, largest_nanousd integer not null,
            primary key (
                quarter, tenant, feature, model, provider, user, agent, operation, facts, tags)
        ) without rowid;

        create table totals (
            family integer not null,
            row integer not null,
            labels blob not null,
            sums blob not null,
            created_ns integer not null,
            primary key (family, row)
        ) without rowid;

        create table rings (
            dimension text not null,
            name integer not null,
            buckets blob not null,
            primary key (dimension, name)
        ) without rowid;

        create table ledger_meta (
            key text primary key,
            value text not null
        ) without rowid;

        create table fact_words (kind text not null, code integer not null, word text not null);

        """ + words + view(withAdjustments: false)

    /// Spend by one dimension; filled from the roll-ups that are there.
    public static let spendSums = SpendSums.tables

    /// The closed vocabularies, so that the view can name them.
    private static let words =
        """
        insert into fact_words values
            ('status', 0, 'ok'), ('status', 1, 'error'), ('status', 2, 'timeout'),
            ('status', 3, 'cancelled'), ('status', 4, 'rate_limited'),
            ('stage', 0, 'unknown'), ('stage', 1, 'initialization'),
            ('stage', 2, 'quota_validation'), ('stage', 3, 'resource_allocation'),
            ('stage', 4, 'connection'), ('stage', 5, 'execution'), ('stage', 6, 'result_retrieval'),
            ('stage', 7, 'cleanup'), ('stage', 8, 'monitoring'),
            ('cost_source', 0, 'unpriced'), ('cost_source', 1, 'reported'),
            ('cost_source', 2, 'computed'), ('cost_source', 3, 'estimated');

        """

    /// What a person reads: names instead of ids, times as text, dollars as exact decimals.
    ///
    /// With adjustments: an event shows what it costs after them, and they are no rows themselves.
    static func view(withAdjustments: Bool) -> String {
        let cost = withAdjustments ? "e.effective" : "e.cost_nanousd"
        let facts = withAdjustments ? "ifnull(e.adjusted, e.facts)" : "e.facts"
        let tables =
            withAdjustments
            ? """
            (select events.*, iif(cost_nanousd is null and nanos is null, null,
                ifnull(cost_nanousd, 0) + ifnull(nanos, 0)) as effective,
                adjustments.facts as adjusted
            from events left join adjustments on event = seq) e
            where e.facts >> 17 & 1 = 0
            """
            : "events e"
        return """
            create view cost_records as
            select
                e.seq,
                e.id,
                strftime('%Y-%m-%dT%H:%M:%S', e.timestamp_ns / 1000000000, 'unixepoch')
                    || printf('.%03dZ', e.timestamp_ns / 1000000 % 1000) as timestamp,
                ifnull(json_extract(e.detail, '$.folded.tenant'),
                    (select text from names where id = e.tenant)) as tenant,
                ifnull(json_extract(e.detail, '$.folded.user'),
                    (select text from names where id = e.user)) as user,
                ifnull(json_extract(e.detail, '$.folded.feature'),
                    (select text from names where id = e.feature)) as feature,
                ifnull(json_extract(e.detail, '$.folded.agent'),
                    (select text from names where id = e.agent)) as agent,
                ifnull(json_extract(e.detail, '$.folded.operation'),
                    (select text from names where id = e.operation)) as operation,
                ifnull(json_extract(e.detail, '$.folded.provider'),
                    (select text from names where id = e.provider)) as provider,
                ifnull(json_extract(e.detail, '$.folded.model'),
                    (select text from names where id = e.model)) as model,
                ifnull(e.input_tokens, 0) as input_tokens,
                ifnull(e.cached_input_tokens, 0) as cached_input_tokens,
                ifnull(e.cache_write_tokens, 0) as cache_write_tokens,
                ifnull(e.output_tokens, 0) as output_tokens,
                ifnull(e.reasoning_tokens, 0) as reasoning_tokens,
                case when \(cost) is not null then
                    printf('%d.%09d', \(cost) / 1000000000, \(cost) % 1000000000)
                end as cost_usd,
                (select word from fact_words where kind = 'cost_source' and code = \(facts) >> 8 & 15)
                    as cost_source,
                (select word from fact_words where kind = 'status' and code = e.facts & 15) as status,
                (select word from fact_words where kind = 'stage' and code = e.facts >> 4 & 15)
                    as stage,
                e.facts >> 12 & 1 = 0 as usage_complete,
                e.duration_ms,
                e.conversation, e.task, e.request,
                ifnull(json_extract(e.detail, '$.folded.tags'),
                    (select text from names where id = e.tags)) as tags,
                e.detail
            from \(tables);
            """
    }
}
