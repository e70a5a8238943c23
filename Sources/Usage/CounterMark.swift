/// What a counter of somebody's telemetry showed last. It is kept in the transaction of the events
/// that stand for its increase, so that neither is there without the other.
public struct CounterMark: Equatable, Sendable {
    /// The same in every process that has the store: of its resource, scope, name and attributes.
    public var series: UInt64
    /// Unix nanoseconds, by the clock of its producer.
    public var start: UInt64
    public var time: UInt64
    /// Tokens or nano-dollars; of a cumulative one since `start`.
    public var value: Int64

    public init(series: UInt64, start: UInt64, time: UInt64, value: Int64) {
        self.series = series
        self.start = start
        self.time = time
        self.value = value
    }
}
