// One device of a program: carries out the instruction words of bench/boards/words.py.
//
// The text before this one defines ACCUMULATOR_BITS, VECTOR_BITS and one of the *_ACTIVATIONs and, where the
// board has channels to others, PORTS, VECTOR_FILE and the channels (bench/boards/sources.py). Vectors are in
// fixed point with FRACTION_BITS; every result is the one that the interpreter has, bit for bit. Doubles are used where
// it uses them: for units of sums, factors of operands and activations.
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#pragma OPENCL FP_CONTRACT OFF

#define FRACTION_BITS 19
#ifdef PORTS
#define VECTORS
#else
#define VECTORS __global
#endif
#define WORDS 32

enum { COPY, PLUS, TIMES, COMPLEMENT, SIGMOID, TANH, RELU, GATE, ADD, OPERAND, MULTIPLY, SEND, RECEIVE };
enum { OP, FIRST, COUNT, LENGTH, TO, A = 10, B = 16, OFFSET = 22, PITCH, PARTS, PART_COUNT, FLAG, PEER };

long saturate(long value, int bits) {
  const long most = (1L << (bits - 1)) - 1;
  return clamp(value, -most - 1, most);
}

int to_vector(double value) {  // value in units of the last place
  return (int)saturate(convert_long_rte(clamp(value, -0x1p40, 0x1p40)), VECTOR_BITS);
}

int times(int a, int b) {
#if VECTOR_BITS <= 27
  const long product = (long)a * b;
  const long whole = product >> FRACTION_BITS;
  const long rest = product & ((1L << FRACTION_BITS) - 1);
  const long middle = 1L << (FRACTION_BITS - 1);
  return (int)saturate(whole + (rest > middle || (rest == middle && (whole & 1))), VECTOR_BITS);
#else
  return to_vector((double)a * (double)b * 0x1p-19);
#endif
}

#if defined(EXACT_ACTIVATION)
double sigmoid(double x) { return 1.0 / (1.0 + exp(-fmax(x, -700.0))); }
double tangent(double x) { return tanh(x); }
#elif defined(PIECEWISE_ACTIVATION)
double sigmoid(double x) {
  const double size = fabs(x);
  const double value = size >= 5.0     ? 1.0
                       : size >= 2.375 ? 0.03125 * size + 0.84375
                       : size >= 1.0   ? 0.125 * size + 0.625
                                       : 0.25 * size + 0.5;
  return x < 0 ? 1.0 - value : value;
}
double tangent(double x) { return 2.0 * sigmoid(2.0 * x) - 1.0; }
#else
// The tables are made by the host, and come with the text.
double look_up(double x, __constant double *table) {
  const double place = (clamp(x, -8.0, 8.0) + 8.0) * (TABLE_INTERVALS / 16.0);
#if defined(TABLE_ACTIVATION)
  return table[convert_int_rte(place)];
#else
  const int left = min(convert_int_rtn(place), TABLE_INTERVALS - 1);
  return table[left] + (place - left) * (table[left + 1] - table[left]);
#endif
}
double sigmoid(double x) { return look_up(x, SIGMOID_TABLE); }
double tangent(double x) { return look_up(x, TANH_TABLE); }
#endif

// Index of the first element of a place, for a step and a batch item.
long find(__global const int *restrict place, int step, int item) {
  const int slot = (max(place[1] * step + place[2], -1) + 1) % place[3];
  return (long)place[0] + (long)slot * place[4] + (long)item * place[5];
}

// One row of a product over one part of its columns.
int dot(__global const char *restrict weights, VECTORS const char *restrict vector, int columns) {
  int sum = 0;
#pragma unroll 16
  for (int i = 0; i < columns; i++) sum += (int)weights[i] * (int)vector[i];
  return (int)saturate(sum, ACCUMULATOR_BITS);
}

// One row of a product over all its parts, added in order.
int row_sum(__global const char *restrict row, VECTORS const char *restrict vectors,
            __global const int *restrict parts, int count) {
  int sum = 0;
  for (int p = 0; p < count; p++) {
    const int value = dot(row + parts[3 * p], vectors + parts[3 * p + 1], parts[3 * p + 2]);
    sum = p ? (int)saturate((long)sum + value, ACCUMULATOR_BITS) : value;
  }
  return sum;
}

#ifdef PORTS
// The matrix unit is a kernel of its own: it keeps the vector file, and answers row by row.
typedef struct { int what, rows, offset, pitch, parts, count, item; } Command;
enum { HALT, LOAD, PRODUCT };

channel Command commands __attribute__((depth(4)));
channel Flit operands __attribute__((depth(64)));
channel int sums __attribute__((depth(64)));

__attribute__((max_global_work_dim(0)))
__kernel void matrix(__global const char *restrict weights, __global const int *restrict parts) {
  char vectors[VECTOR_FILE];
  for (;;) {
    const Command now = read_channel_intel(commands);
    if (now.what == HALT) break;
    if (now.what == LOAD) {
      for (int i = 0; i < now.rows; i += 4 * FLIT_INTS) {
        const Flit flit = read_channel_intel(operands);
        for (int j = 0; j < 4 * FLIT_INTS; j++)
          if (i + j < now.rows) vectors[now.offset + i + j] = (char)(flit.word[j / 4] >> (8 * (j % 4)));
      }
    } else {
      for (int r = 0; r < now.rows; r++)
        write_channel_intel(sums, row_sum(weights + now.offset + (long)r * now.pitch, vectors + now.item,
                                          parts + 3 * now.parts, now.count));
    }
  }
}
#endif

char to_operand(int value, double factor) { return convert_char_sat_rte(clamp((float)(value * factor), -127.0f, 127.0f)); }

// Instructions `from` to `to` of a loop body, in iterations `begin` to `end`; all that they need is in memory.
#ifdef PORTS
__attribute__((max_global_work_dim(0)))
__kernel void run(__global const int *restrict code, __global int *restrict memory,
                  __global const double *restrict units, int batch, int vector_file, int from, int to, int begin,
                  int end) {
#else
__kernel void run(__global const int *restrict code, __global int *restrict memory,
                  __global const double *restrict units, int batch, int vector_file, int from, int to, int begin, int end,
                  __global const char *restrict weights, __global const int *restrict parts,
                  __global char *restrict vectors) {
#endif
  for (int iteration = begin; iteration < end; iteration++) {
    for (int n = from; n < to; n++) {
      __global const int *now = code + (long)n * WORDS;
      const int step = iteration - now[FIRST];
      if (step < 0 || step >= now[COUNT]) continue;
      const int length = now[LENGTH];
      for (int item = 0; item < batch; item++) {
        __global int *t = memory + find(now + TO, step, item);
        __global const int *a = memory + find(now + A, step, item);
        __global const int *b = memory + find(now + B, step, item);
        switch (now[OP]) {
          case COPY:
            for (int i = 0; i < length; i++) t[i] = a[i];
            break;
          case PLUS:
            for (int i = 0; i < length; i++) t[i] = (int)saturate((long)a[i] + b[i], VECTOR_BITS);
            break;
          case TIMES:
            for (int i = 0; i < length; i++) t[i] = times(a[i], b[i]);
            break;
          case COMPLEMENT:
            for (int i = 0; i < length; i++)
              t[i] = (int)saturate((1L << FRACTION_BITS) - a[i], VECTOR_BITS);
            break;
          case SIGMOID:
            for (int i = 0; i < length; i++) t[i] = to_vector(sigmoid(a[i] * 0x1p-19) * 0x1p19);
            break;
          case TANH:
            for (int i = 0; i < length; i++) t[i] = to_vector(tangent(a[i] * 0x1p-19) * 0x1p19);
            break;
          case RELU:
            for (int i = 0; i < length; i++) t[i] = max(a[i], 0);
            break;
          case GATE:
            for (int i = 0; i < length; i++) t[i] = to_vector(a[i] * units[now[OFFSET] + i]);
            break;
          case ADD:
            for (int i = 0; i < length; i++) t[i] = (int)saturate((long)a[i] + b[i], ACCUMULATOR_BITS);
            break;
          case OPERAND: {
            const double factor = units[now[FLAG]];
            const int offset = now[OFFSET] + item * vector_file;
#ifdef PORTS
            const Command load = {LOAD, length, offset, 0, 0, 0, 0};
            write_channel_intel(commands, load);
            for (int i = 0; i < length; i += 4 * FLIT_INTS) {
              Flit flit;
              for (int j = 0; j < FLIT_INTS; j++) {
                uint word = 0;
                for (int k = 0; k < 4; k++)
                  if (i + 4 * j + k < length)
                    word |= (uint)(uchar)to_operand(a[i + 4 * j + k], factor) << (8 * k);
                flit.word[j] = (int)word;
              }
              write_channel_intel(operands, flit);
            }
#else
            for (int i = 0; i < length; i++) vectors[offset + i] = to_operand(a[i], factor);
#endif
            break;
          }
          case MULTIPLY: {
#ifdef PORTS
            const Command product = {PRODUCT, length, now[OFFSET], now[PITCH], now[PARTS], now[PART_COUNT],
                                     item * vector_file};
            write_channel_intel(commands, product);
#endif
            for (int i = 0; i < length; i++) {
#ifdef PORTS
              const int value = read_channel_intel(sums);
#else
              const int value = row_sum(weights + now[OFFSET] + (long)i * now[PITCH],
                                        vectors + item * vector_file, parts + 3 * now[PARTS], now[PART_COUNT]);
#endif
              t[i] = now[FLAG] ? (int)saturate((long)t[i] + value, ACCUMULATOR_BITS) : value;
            }
            break;
          }
          case SEND:
#ifdef PORTS
            for (int i = 0; i < length; i += FLIT_INTS) {
              Flit flit;
              for (int j = 0; j < FLIT_INTS; j++) flit.word[j] = i + j < length ? a[i + j] : 0;
              to_port(now[PEER], flit);
            }
#else
            for (int i = 0; i < length; i++) t[i] = a[i];
#endif
            break;
          case RECEIVE:
#ifdef PORTS
            for (int i = 0; i < length; i += FLIT_INTS) {
              const Flit flit = from_port(now[PEER]);
              for (int j = 0; j < FLIT_INTS; j++)
                if (i + j < length) t[i + j] = flit.word[j];
            }
#else
            for (int i = 0; i < length; i++) t[i] = a[i];
#endif
            break;
        }
      }
    }
  }
#ifdef PORTS
  const Command halt = {HALT, 0, 0, 0, 0, 0, 0};
  write_channel_intel(commands, halt);
#endif
}
