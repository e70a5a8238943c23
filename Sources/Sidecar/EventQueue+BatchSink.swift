public import Intake
public import Ledger

/// The ledger's queue is where intake's batches go; neither room knows the other.
extension EventQueue: BatchSink {}
