// What a detector costs a series and window: `swift run -c release detectors-bench`.

internal import Anomalies
internal import Glibc

func cpuNanos() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
}

let series = 4000
let windows = 250

func measure(_ name: String, _ bytes: Int, _ step: (_ index: Int, _ start: Int64) -> Void) {
    let began = cpuNanos()
    for window in 0..<windows {
        let start = 1_767_225_600 + Int64(window) * 300
        for index in 0..<series { step(index, start) }
    }
    let nanos = (cpuNanos() - began) / Double(windows * series)
    print("\(name): \(Int(nanos)) ns of a processor and \(bytes) bytes a series and window")
}

func run() {
    let model = SpendModel(bucketSeconds: 300)
    var spend = [SpendDetector](repeating: SpendDetector(), count: series)
    var shape = [ShapeDetector](repeating: ShapeDetector(), count: series)
    var sum = 0.0
    func value(_ index: Int, _ start: Int64) -> Double {
        Double((index &* 7919 &+ Int(start / 300)) % 97) / 10
    }
    measure("spend", SpendDetector.stateBytes) { index, start in
        sum +=
            spend[index].step(
                start: start, cost: value(index, start), events: 20, largest: 0.5, model
            ).expected
    }
    measure("generic", ShapeDetector.stateBytes) { index, start in
        sum += shape[index].step(time: Double(start), value: value(index, start)).score
    }
    // Keeps the loops from being left out.
    if sum.isNaN { print("no number") }
}

run()
