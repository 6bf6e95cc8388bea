// SPDX-License-Identifier: GPL-2.0-or-later

/// Where the beam is: the display enable and vertical retrace bits of input status 1, from guest time and the
/// CRTC's timing. Drivers wait for both edges.
struct RetraceTiming {
  private let lineNanoseconds: UInt64
  private let totalLines: UInt64
  private let displayedLines: UInt64
  private let retraceStart: UInt64
  private let displayedPart: UInt64

  init(_ registers: VGARegisterBank) {
    let dots: UInt64 = registers.sequencer[Sequencer.clockingMode] & 1 != 0 ? 8 : 9
    let characters = UInt64(registers.crtc[CRTC.horizontalTotal]) + 5
    // In kHz: 25.175 or 28.322 MHz.
    let clock: UInt64 = registers.miscellaneous >> 2 & 3 == 1 ? 28_322 : 25_175
    let half: UInt64 = registers.sequencer[Sequencer.clockingMode] & 8 != 0 ? 2 : 1
    lineNanoseconds = max(1000, characters * dots * half * 1_000_000 / clock)
    totalLines = UInt64(max(registers.verticalTotal + 2, 10))
    displayedLines = min(UInt64(registers.verticalDisplayEnd + 1), totalLines - 3)
    retraceStart = min(max(UInt64(registers.verticalRetraceStart), displayedLines), totalLines - 3)
    let end = UInt64(registers.crtc[CRTC.horizontalDisplayEnd]) + 1
    displayedPart = min(end, characters) * lineNanoseconds / characters
  }

  /// Bit 0: nothing is displayed; bit 3: vertical retrace.
  ///
  /// The retrace lasts until just before the next picture instead of the two lines a monitor needs, so that a
  /// guest whose every look at the port takes a while does not miss it.
  func status(at time: UInt64) -> UInt8 {
    let position = time % (lineNanoseconds * totalLines)
    let line = position / lineNanoseconds
    let isRetrace = line >= retraceStart && line < totalLines - 1
    let isBlank = line >= displayedLines || position % lineNanoseconds >= displayedPart
    return (isRetrace ? 0x08 : 0) | (isBlank ? 0x01 : 0)
  }
}
