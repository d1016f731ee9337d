"""Recurrent networks out of ONNX files: `bench.workloads.onnx_import.importer.import_onnx`.

Nothing here is imported before an .onnx path is met: the onnx package is slow to start.
"""
