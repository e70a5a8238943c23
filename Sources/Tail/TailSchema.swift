public enum TailSchema {
    /// How far each tailed file is committed; written in the transaction of its events.
    public static let tables = """
        create table tail_positions (
            device integer not null, inode integer not null,
            path text not null, generation integer not null,
            head_hash integer not null, head_bytes integer not null,
            position integer not null, seen_ns integer not null,
            primary key (device, inode)
        ) without rowid;
        """
}
