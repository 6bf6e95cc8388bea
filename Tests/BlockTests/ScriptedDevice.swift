// SPDX-License-Identifier: GPL-2.0-or-later

import Block

/// A device whose answers the test gives.
final class ScriptedDevice: BlockDevice {
  let byteCount: UInt64 = 1 << 20
  var isReadOnly = false
  var canDiscard: Bool { true }
  var label: String { "scripted" }
  /// Submitted and not yet answered.
  private(set) var pending: [BlockRequest] = []
  private(set) var submissions = 0
  private(set) var isClosed = false
  /// Answers given at once, within the submission.
  var immediateAnswers: [BlockResult] = []

  func submit(_ request: BlockRequest) {
    submissions += 1
    request.isInFlight = true
    if immediateAnswers.isEmpty {
      pending.append(request)
    } else {
      request.complete(immediateAnswers.removeFirst())
    }
  }

  /// Answers the oldest request.
  func answer(_ result: BlockResult) { pending.removeFirst().complete(result) }

  func cancel(_ request: BlockRequest) {
    guard let index = pending.firstIndex(where: { $0 === request }) else { return }
    pending.remove(at: index)
    request.complete(.cancelled)
  }

  func drain() { while !pending.isEmpty { answer(.success) } }
  func close() { isClosed = true }
}
