public import Usage

/// Keeps the largest sums that it has seen: a binary heap with the smallest of them on top.
public struct LargestSums {
    private let countMax: Int
    private var heap: [(scope: Int, sum: NanoUSD)] = []

    public init(count: Int) {
        countMax = count
    }

    public mutating func insert(_ scope: Int, _ sum: NanoUSD) {
        if heap.count < countMax {
            heap.append((scope, sum))
            var at = heap.count - 1
            while at > 0, heap[at].sum < heap[(at - 1) / 2].sum {
                heap.swapAt(at, (at - 1) / 2)
                at = (at - 1) / 2
            }
        } else if let smallest = heap.first, sum > smallest.sum {
            heap[0] = (scope, sum)
            var at = 0
            while true {
                var least = at
                for child in [2 * at + 1, 2 * at + 2]
                where child < heap.count && heap[child].sum < heap[least].sum { least = child }
                if least == at { break }
                heap.swapAt(at, least)
                at = least
            }
        }
    }

    /// Largest first; equal sums in the order of their scopes.
    public var sorted: [(Int, NanoUSD)] {
        heap.sorted { ($1.sum, $0.scope) < ($0.sum, $1.scope) }.map { ($0.scope, $0.sum) }
    }
}
